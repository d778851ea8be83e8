/** One page: its place, its drawing while it is near the window, and its text, which stays. */

import { AnnotationMode, type PDFPageProxy, TextLayer } from "pdfjs-dist/legacy/build/pdf.mjs";

// Phones refuse or shrink a larger canvas (16.7 million pixels on iOS); ours gets less sharp instead.
const MAX_PIXELS = window.matchMedia("(pointer: coarse)").matches ? 5_000_000 : 16_000_000;

export class PageView {
  readonly element = document.createElement("div");
  readonly #layer = document.createElement("div");
  #canvas: HTMLCanvasElement | undefined;
  #drawnAt = 0;
  #width = 0;
  #height = 0;
  #stop: () => void = () => undefined;
  #hasText = false;

  constructor(label: string) {
    this.element.className = "page";
    this.element.setAttribute("role", "group");
    this.element.setAttribute("aria-label", label);
    this.#layer.className = "layer";
  }

  /** Takes the size of a page, in points: its own, or that of another page until its own is known. */
  setSize(page: PDFPageProxy): void {
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

  get hasText(): boolean {
    return this.#hasText;
  }

  /** Draws at a scale (CSS pixels per point); the drawing before it stays until it is done. False when stopped. */
  async draw(page: PDFPageProxy, scale: number): Promise<boolean> {
    this.#stop();
    const viewport = page.getViewport({ scale });
    const fits = Math.sqrt(MAX_PIXELS / (viewport.width * viewport.height));
    const ratio = Math.min(window.devicePixelRatio, fits);
    const canvas = document.createElement("canvas");
    canvas.width = Math.floor(viewport.width * ratio);
    canvas.height = Math.floor(viewport.height * ratio);
    // Letters may stand between pixels, as on paper, also where the system would move them to whole pixels. pdf.js
    // gets this same context.
    const context = canvas.getContext("2d", { alpha: false });
    if (context !== null && "textRendering" in context) {
      context.textRendering = "geometricPrecision";
    }
    const size = (pixels: number): string => `calc(var(--total-scale-factor) * ${String(pixels / ratio / scale)}px)`;
    canvas.style.width = size(canvas.width);
    canvas.style.height = size(canvas.height);
    // Screen readers read the text layer.
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
      freeCanvas(canvas);
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

  /** Lays the invisible text over the drawing, to be selected, found and read. */
  async addText(page: PDFPageProxy): Promise<void> {
    if (this.#hasText) {
      return;
    }
    this.#hasText = true;
    const text = new TextLayer({
      textContentSource: page.streamTextContent(),
      container: this.#layer,
      viewport: page.getViewport({ scale: 1 }),
    });
    // Not in the document yet: measuring each word would compute all styles again.
    await text.render();
    const end = document.createElement("div");
    end.className = "end";
    this.#layer.append(end);
    this.element.append(this.#layer);
  }

  /** Frees the memory of the drawing. */
  release(): void {
    this.#stop();
    this.#erase();
  }

  #erase(): void {
    if (this.#canvas !== undefined) {
      freeCanvas(this.#canvas);
      this.#canvas.remove();
      this.#canvas = undefined;
    }
  }
}

/** Safari keeps the pixels of a removed canvas until it is collected. */
function freeCanvas(canvas: HTMLCanvasElement): void {
  canvas.width = 0;
  canvas.height = 0;
}
