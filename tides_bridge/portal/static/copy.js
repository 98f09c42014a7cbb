// A button with data-copy="ID" copies the text of that element.
"use strict";

for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    const code = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "copied";
    } catch {  // without a secure connection a page may only mark it
      window.getSelection().selectAllChildren(code);
      button.textContent = "marked: press Ctrl-C";
    }
  });
}
