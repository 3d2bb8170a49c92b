// Copies the text that a button names: <button data-copy="id of the text" data-tell="id of the region">.
// The region is a role=status that holds both answers: data-done and data-failed.

async function write(text) {
  if (!navigator.clipboard) return false; // Only secure pages have it, and some in-app browsers never.
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

function copySelected(source) {
  if (typeof source.select === "function") {
    source.select();
  } else {
    getSelection().selectAllChildren(source);
  }
  try {
    return document.execCommand("copy");
  } catch {
    return false;
  }
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  const region = document.getElementById(button.dataset.tell);
  source.closest("details")?.setAttribute("open", ""); // What cannot be copied must at least be seen.
  const text = (source.value ?? source.textContent).trim();
  const isDone = (await write(text)) || copySelected(source);
  region.textContent = ""; // So that a second press is announced too.
  setTimeout(() => {
    region.textContent = isDone ? region.dataset.done : region.dataset.failed;
  }, 50);
});
