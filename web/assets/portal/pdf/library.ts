/** pdf.js with its worker from our own host; the build for older browsers, because phones are not always new. */

import { GlobalWorkerOptions, getDocument, type PDFDocumentProxy } from "pdfjs-dist/legacy/build/pdf.mjs";
import workerAddress from "pdfjs-dist/legacy/build/pdf.worker.min.mjs?url";

GlobalWorkerOptions.workerSrc = workerAddress;

/** Opens a PDF; rejects when it is none. */
export function openPdf(bytes: Uint8Array<ArrayBuffer>): Promise<PDFDocumentProxy> {
  return getDocument({
    data: bytes,
    // The page's policy compiles nothing, and our PDFs hold no image that would need it.
    useWasm: false,
    enableXfa: false,
    verbosity: 0,
  }).promise;
}
