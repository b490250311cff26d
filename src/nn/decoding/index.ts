/** @file From scores to sequences: greedy and beam search over a step function, decoding of CTC outputs. */
export {
  type BeamSearchOptions,
  beamSearch,
  type DecoderStep,
  greedySearch,
  type Hypothesis,
  type SearchOptions,
} from './beam-search.ts';
export {
  type CtcBeamOptions,
  type CtcDecodeOptions,
  type CtcHypothesis,
  ctcBeamSearch,
  ctcGreedyDecode,
} from './ctc.ts';
