/** @file Recurrent networks: LSTM, GRU, RNN. */
export { gru } from './recurrent/gru.ts';
export { lstm } from './recurrent/lstm.ts';
export { rnn } from './recurrent/rnn.ts';
