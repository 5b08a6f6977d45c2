"use strict";
const parsed = (cell) => {
  const text = cell.dataset.value;
  const number = Number(text);
  return text === "" ? null : Number.isNaN(number) ? text : number;
};
const order = (a, b) => {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b));
};
const sortBy = (head) => {
  const table = head.closest("table");
  const column = head.cellIndex;
  const up = head.getAttribute("aria-sort") !== "ascending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
  const rows = [...table.tBodies[0].rows].map((row) => [parsed(row.cells[column]), row]);
  rows.sort(([a], [b]) => {
    if (a === null || b === null) return (a === null) - (b === null);
    return up ? order(a, b) : order(b, a);
  });
  table.tBodies[0].append(...rows.map(([, row]) => row));
};
for (const button of document.querySelectorAll(".sort")) {
  button.addEventListener("click", () => sortBy(button.closest("th")));
}
const dialog = document.querySelector("dialog");
for (const button of document.querySelectorAll(".zoom")) {
  button.addEventListener("click", () => {
    const shown = button.querySelector("img");
    const large = dialog.querySelector("img");
    large.src = shown.src;
    large.alt = shown.alt;
    dialog.showModal();
  });
}
