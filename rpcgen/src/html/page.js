const search = document.getElementById("search");
const entries = [...document.querySelectorAll("nav li")];
const none = document.querySelector("nav .none");
function filter() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (entry) => words.every((word) => entry.dataset.words.includes(word));
  let any = false;
  for (const entry of entries) {
    const shown = fits(entry) || [...entry.querySelectorAll("li")].some(fits);
    entry.hidden = !shown;
    any = any || shown;
  }
  none.style.display = any ? "none" : "block";
}
search.addEventListener("input", filter);
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement !== search) { event.preventDefault(); search.focus(); }
  if (event.key === "Escape" && document.activeElement === search) { search.value = ""; filter(); search.blur(); }
});
search.addEventListener("keydown", (event) => {
  if (event.key !== "Enter") return;
  const shown = entries.filter((entry) => !entry.hidden && entry.dataset.words.includes(search.value.toLowerCase().trim()));
  if (shown.length) location.hash = shown[0].querySelector("a").getAttribute("href");
});
