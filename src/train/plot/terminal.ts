/** @file Pictures inside a terminal, where it can show them. */
import { canDrawText, svgToPng } from './png.ts';

/** The two ways by which terminals take pictures. */
export type TerminalPictures = 'iterm' | 'kitty';

export interface ShowPictureOptions {
  /** Where it is written. Default standard output. */
  readonly stream?: { readonly isTTY?: boolean; write(text: string): unknown };
  /** Default the environment of the process. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/**
 * How a terminal takes pictures; undefined where it does not, or where that is not known. GRADUS_PICTURES=iterm, kitty or
 * off overrules what is guessed from the variables that terminals set.
 */
export function terminalPictures({
  stream = process.stdout,
  env = process.env,
}: ShowPictureOptions = {}): TerminalPictures | undefined {
  const { GRADUS_PICTURES: asked, TERM = '', TERM_PROGRAM = '', LC_TERMINAL, CI } = env;
  if (!stream.isTTY || asked === 'off') return undefined;
  if (asked === 'iterm' || asked === 'kitty') return asked;
  // Multiplexers swallow the codes; logs of CI would show them as text.
  if (env.TMUX || env.STY || /^(screen|tmux|dumb)/.test(TERM) || (CI && CI !== 'false')) return undefined;
  if (env.KITTY_WINDOW_ID || /kitty|ghostty/.test(TERM) || TERM_PROGRAM === 'ghostty') return 'kitty';
  if (['iTerm.app', 'WezTerm', 'mintty'].includes(TERM_PROGRAM) || LC_TERMINAL === 'iTerm2') return 'iterm';
  return undefined;
}

const esc = '\u001b';

/** https://iterm2.com/documentation-images.html */
function itermCode(png: Uint8Array): string {
  const options = `inline=1;size=${png.length};preserveAspectRatio=1`;
  return `${esc}]1337;File=${options}:${Buffer.from(png).toString('base64')}\u0007\n`;
}

/** https://sw.kovidgoyal.net/kitty/graphics-protocol: pieces of 4,096 characters; q=2 asks for no answer. */
function kittyCode(png: Uint8Array): string {
  const pieces =
    Buffer.from(png)
      .toString('base64')
      .match(/.{1,4096}/g) ?? [];
  const code = pieces.map((piece, i) => {
    const options = i === 0 ? 'a=T,f=100,q=2,' : 'q=2,';
    return `${esc}_G${options}m=${i < pieces.length - 1 ? 1 : 0};${piece}${esc}\\`;
  });
  return `${code.join('')}\n`;
}

/**
 * Shows an SVG text or PNG bytes inside the terminal, where it can (iTerm2, WezTerm, mintty, kitty, Ghostty). Elsewhere, in
 * files, pipes, multiplexers and CI nothing is written.
 * @example
 * await showPicture(lineChart({ series }));
 * @returns whether the picture was written.
 * @throws ArgumentError for an SVG that cannot be drawn.
 */
export async function showPicture(picture: string | Uint8Array, options: ShowPictureOptions = {}): Promise<boolean> {
  const way = terminalPictures(options);
  // Without fonts its letters would be empty boxes.
  if (way === undefined || (typeof picture === 'string' && !(await canDrawText()))) return false;
  const png = typeof picture === 'string' ? await svgToPng(picture, { scale: 1 }) : picture;
  (options.stream ?? process.stdout).write(way === 'kitty' ? kittyCode(png) : itermCode(png));
  return true;
}
