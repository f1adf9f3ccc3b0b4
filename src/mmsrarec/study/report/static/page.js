// Sorts a table by the column whose heading is pressed: numbers by their first figure, largest first, words by the alphabet.
for (const table of document.querySelectorAll("table.sorts")) {
  const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  const shown = (row, column) => {
    const cell = row.cells[column];
    return (cell.firstChild?.textContent ?? "").trim() || cell.textContent.trim();
  };
  const figure = (text) => parseFloat(text.replace(/^[<≤]\s*/, "").replaceAll(",", ""));
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const rows = [...body.rows], texts = new Map(rows.map((row) => [row, shown(row, column)]));
      const numeric = rows.some((row) => !Number.isNaN(figure(texts.get(row)))) && column > 0;
      const before = head.getAttribute("aria-sort");
      const down = before ? before === "ascending" : numeric;
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const sign = down ? -1 : 1;
      rows.sort((a, b) => {
        const [x, y] = [texts.get(a), texts.get(b)];
        if (!numeric) return sign * x.localeCompare(y);
        const [p, q] = [figure(x), figure(y)];
        if (Number.isNaN(p) || Number.isNaN(q)) return Number.isNaN(p) - Number.isNaN(q); // what has no figure stays last
        return sign * (p - q);
      });
      body.append(...rows);
    });
  });
}

// A table that is wider than its place can be scrolled by keyboard too; its name is the heading before it.
function reach() {
  for (const place of document.querySelectorAll(".wide")) {
    const scrolls = place.scrollWidth > place.clientWidth;
    const heading = [...place.closest("section")?.querySelectorAll("h2, h3") ?? []]
      .findLast((one) => one.compareDocumentPosition(place) & Node.DOCUMENT_POSITION_FOLLOWING);
    for (const [name, value] of [["tabindex", "0"], ["role", "region"], ["aria-label", `Table: ${heading?.textContent.trim() ?? ""}`]])
      if (scrolls) place.setAttribute(name, value); else place.removeAttribute(name);
  }
}
addEventListener("resize", reach);
reach();
