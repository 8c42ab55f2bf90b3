// Gradio's own video box complains of clips that the browser cannot play. They are edited all the same.
new MutationObserver(() => {
  for (const toast of document.querySelectorAll('[data-testid="toast-body"]')) {
    if (toast.textContent.includes("Video not playable")) toast.remove();
  }
}).observe(document, { childList: true, subtree: true });
