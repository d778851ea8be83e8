/** One page: its place, what is drawn on it while it is near the window, and its words, which stay. */

import { type PDFPageProxy, AnnotationMode, TextLayer } from "pdfjs-dist/legacy/build/pdf.mjs";

// A canvas beyond this is refused or shrunk by phones (16.7 million pixels on iOS); ours may be less sharp instead.
const MOST_PIXELS = window.matchMedia("(pointer: coarse)").matches ? 5_000_000 : 16_000_000;

export class Sheet {
  readonly element = document.createElement("div");
  readonly #layer = document.createElement("div");
  #canvas: HTMLCanvasElement | undefined;
  #drawnAt = 0;
  #width = 0;
  #height = 0;
  #stop: () => void = () => undefined;
  #isWritten = false;

  constructor(label: string) {
    this.element.className = "page";
    this.element.setAttribute("role", "group");
    this.element.setAttribute("aria-label", label);
    this.#layer.className = "layer";
  }

  /** Takes the size of a page, in points: its own, or that of another one until it is known. */
  size(page: PDFPageProxy): void {
    const [left = 0, bottom = 0, right = 0, top = 0] = page.view;
    const [width, height] = page.rotate % 180 === 0 ? [right - left, top - bottom] : [top - bottom, right - left];
    if (width !== this.#width || height !== this.#height) {
      [this.#width, this.#height] = [width, height];
      this.element.style.setProperty("--page-width", `${String(width)}px`);
      this.element.style.setProperty("--page-height", `${String(height)}px`);
    }
  }

  isDrawn(scale: number): boolean {
    return this.#canvas !== undefined && this.#drawnAt === scale * window.devicePixelRatio;
  }

  get isWritten(): boolean {
    return this.#isWritten;
  }

  /** Draws at a scale (CSS pixels a point); what was drawn before is seen until it is done. False when stopped. */
  async draw(page: PDFPageProxy, scale: number): Promise<boolean> {
    this.#stop();
    const viewport = page.getViewport({ scale });
    const fits = Math.sqrt(MOST_PIXELS / (viewport.width * viewport.height));
    const ratio = Math.min(window.devicePixelRatio, fits);
    const canvas = document.createElement("canvas");
    canvas.width = Math.floor(viewport.width * ratio);
    canvas.height = Math.floor(viewport.height * ratio);
    // Letters stand between pixels as on paper, also where the system would put them on whole ones. pdf.js gets this
    // same context.
    const context = canvas.getContext("2d", { alpha: false });
    if (context !== null && "textRendering" in context) {
      context.textRendering = "geometricPrecision";
    }
    const size = (pixels: number): string => `calc(var(--total-scale-factor) * ${String(pixels / ratio / scale)}px)`;
    canvas.style.width = size(canvas.width);
    canvas.style.height = size(canvas.height);
    // The words above it are what is read.
    canvas.setAttribute("aria-hidden", "true");
    const task = page.render({
      canvas,
      viewport,
      transform: [ratio, 0, 0, ratio, 0, 0],
      annotationMode: AnnotationMode.DISABLE,
    });
    let isStopped = false;
    this.#stop = () => {
      isStopped = true;
      task.cancel();
    };
    try {
      await task.promise;
    } catch (error) {
      empty(canvas);
      if (isStopped) {
        return false;
      }
      throw error;
    }
    this.#erase();
    this.#canvas = canvas;
    this.#drawnAt = scale * window.devicePixelRatio;
    this.element.prepend(canvas);
    return true;
  }

  /** Writes the words over the drawing, invisible, to be selected, found and read. */
  async write(page: PDFPageProxy): Promise<void> {
    if (this.#isWritten) {
      return;
    }
    this.#isWritten = true;
    const text = new TextLayer({
      textContentSource: page.streamTextContent(),
      container: this.#layer,
      viewport: page.getViewport({ scale: 1 }),
    });
    // Not in the document yet: the measure of each word would have all of it styled again.
    await text.render();
    const end = document.createElement("div");
    end.className = "end";
    this.#layer.append(end);
    this.element.append(this.#layer);
  }

  /** Gives the memory of the drawing back. */
  release(): void {
    this.#stop();
    this.#erase();
  }

  #erase(): void {
    if (this.#canvas !== undefined) {
      empty(this.#canvas);
      this.#canvas.remove();
      this.#canvas = undefined;
    }
  }
}

/** Safari keeps the pixels of a removed canvas until it is collected. */
function empty(canvas: HTMLCanvasElement): void {
  canvas.width = 0;
  canvas.height = 0;
}
