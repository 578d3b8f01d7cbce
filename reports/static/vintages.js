/* Redraws a series as the vintage that a reader picks had it, the newest faint behind it. The series of a source come as a
   classic script that calls longwave.stated; nothing else is loaded, and without this the picture and the table stand. */
(function () {
  "use strict";

  /* Ends of the axis, as reports/figures/vintages.py has them. */
  var FULL = 104;
  var ROOM = 1.08;
  var MONTHS = "January February March April May June July August September October November December".split(" ");
  var PLACES = { "Technologies": "Technology" };

  var shared = window.longwave = window.longwave || {};
  var box = document.querySelector("[data-vintages]");
  if (!box || !window.Plotly || !shared.draw) { return; }

  var name = box.getAttribute("data-vintages");
  var figure = document.querySelector("[data-figure='" + name + "']");
  var heading = figure.querySelector("h3");
  var subtitle = figure.querySelector(".subtitle");
  var source = document.getElementById("pick-source");
  var picker = document.getElementById("pick-series");
  var slider = document.getElementById("pick-vintage");
  var dated = box.querySelector("[data-vintage]");
  var said = box.querySelector("[data-said]");
  var whence = figure.querySelector(".whence");
  var swatch = figure.querySelector(".key line");
  var held = {};
  var asked = {};
  var current = null;
  var waiting = false;

  /* A row: key, name, numbers of unit and colour, then a row a vintage. */
  function described(row) {
    return { key: row[0], name: row[1], unit: current.units[row[2]], colour: current.colours[row[3]], said: row.slice(4).map(stated) };
  }

  function stated(row) {
    var points = { x: [], y: [] };
    row[2].forEach(function (value, i) { if (value !== null) { points.x.push(row[1] + i); points.y.push(value); } });
    return { vintage: current.vintages[row[0]], points: points, otherwise: row[3], gone: row[4], since: row[5], largest: row[6] };
  }

  function chosen() { return current.at.said[Number(slider.value)]; }

  function newest() { return current.at.said[current.at.said.length - 1]; }

  function changed(drawing) {
    if (!current) { return; }
    var own = chosen(), last = newest();
    var years = [].concat.apply([], current.at.said.map(function (one) { return one.points.x; }));
    var highest = Math.max.apply(null, [].concat.apply([], current.at.said.map(function (one) { return one.points.y; })));
    drawing.data.forEach(function (trace) {
      var points = (trace.meta && trace.meta.role) === "newest" ? last.points : own.points;
      trace.x = points.x;
      trace.y = points.y;
      if (trace.meta && trace.meta.role === "stated") { trace.line.color = trace.marker.color = current.at.colour; }
    });
    drawing.layout.xaxis.range = [Math.min.apply(null, years) - 0.5, Math.max.apply(null, years) + 0.5];
    var high = ROOM * highest || 1;
    drawing.layout.yaxis.range = [0, current.share ? Math.min(high, Math.max(FULL, highest)) : high];
    drawing.layout.yaxis.ticksuffix = current.share ? "\u202f%" : "";
  }

  function day(date) {
    var parts = date.split("-").map(Number);
    return parts[2] + "\u00a0" + MONTHS[parts[1] - 1] + "\u00a0" + parts[0];
  }

  function figures(n) { return n === 1 ? "1 figure" : n + " figures"; }

  function title() {
    var own = chosen();
    var percent = current.share ? "\u202f%" : "";
    if (own === newest()) { return current.at.name + ": " + figures(own.points.x.length) + " in the newest vintage"; }
    if (!own.largest) {
      return current.at.name + ": the newest vintage " + (own.gone ? "leaves out " + figures(own.gone) + " and gives again" : "gives again") +
        " what that of " + day(own.vintage) + " said";
    }
    return current.at.name + ": the vintage of " + day(own.vintage) + " said " + own.largest[1] + percent + " of " + own.largest[0] +
      ", the newest says " + own.largest[2] + percent;
  }

  function words() {
    var own = chosen(), last = newest(), years = own.points.x;
    var span = years[0] === years[years.length - 1] ? String(years[0]) : years[0] + "–" + years[years.length - 1];
    var text = "The vintage of " + day(own.vintage) + (own === last ? ", the newest," : "") + " has " + figures(years.length) + ", " + span + ".";
    if (own === last) { return text; }
    text += " The newest, of " + day(last.vintage) + ", gives " + (own.otherwise || "none") + " of them otherwise, by more than " + current.tolerance;
    var more = [own.gone ? "leaves out " + own.gone : "", own.since ? "adds " + own.since : ""].filter(Boolean).join(" and ");
    return text + (more ? (own.gone ? ", " : ", and ") + more : "") + ".";
  }

  /* What stands around the picture: the colour in its key, its unit and its source. */
  function around() {
    var option = source.options[source.selectedIndex];
    var link = document.createElement("a");
    link.href = option.getAttribute("data-page");
    link.textContent = option.getAttribute("data-title");
    whence.textContent = "Unit: " + current.at.unit + ". Source: ";
    whence.appendChild(link);
    whence.appendChild(document.createTextNode(". "));
    swatch.setAttribute("stroke", current.at.colour);
    swatch.setAttribute("class", "lw-line-" + current.at.colour.slice(1).toLowerCase());
  }

  function draw() {
    if (waiting) { return; }
    waiting = true;
    window.requestAnimationFrame(function () {
      waiting = false;
      if (current) { shared.draw(figure); }
    });
  }

  function remember() {
    shared.remember("of=" + encodeURIComponent(source.value) + "&series=" + encodeURIComponent(picker.value) + "&vintage=" + chosen().vintage);
  }

  function tell(remembered) {
    var own = chosen();
    asked.vintage = own.vintage;
    dated.textContent = day(own.vintage) + (own === newest() ? ", the newest" : "");
    slider.setAttribute("aria-valuetext", "vintage of " + day(own.vintage));
    heading.textContent = title();
    subtitle.textContent = current.at.name + ", " + current.at.unit + ": the vintage of " + day(own.vintage) +
      (own === newest() ? ", the newest" : "; dotted, the newest, of " + day(newest().vintage));
    said.textContent = words();
    around();
    figure.querySelector(".plot").setAttribute("aria-label", subtitle.textContent + ". " + words());
    if (remembered) { remember(); }
    draw();
  }

  /* The series picked, at the vintage wanted, or at the last before it; the first of all where none is wanted. */
  function show(remembered) {
    current.at = described(current.series.filter(function (row) { return row[0] === picker.value; })[0]);
    var at = 0;
    current.at.said.forEach(function (one, i) { if (asked.vintage && one.vintage <= asked.vintage) { at = i; } });
    slider.max = String(current.at.said.length - 1);
    slider.value = String(at);
    tell(remembered);
  }

  function listed() {
    current = held[source.value];
    while (picker.firstChild) { picker.removeChild(picker.firstChild); }
    var wanted = current.first;
    current.series.forEach(function (row) {
      var option = document.createElement("option");
      option.value = row[0];
      option.textContent = row[1];
      picker.appendChild(option);
      if (row[0] === asked.series) { wanted = row[0]; }
    });
    picker.value = wanted;
    box.querySelector("[data-what]").textContent = PLACES[current.label.split(",")[0]] || "Place";
  }

  function pick(remembered) {
    var key = source.value;
    if (held[key]) { listed(); show(remembered); return; }
    var chosen = source.options[source.selectedIndex];
    shared.load(chosen.getAttribute("data-file"), function () {
      if (held[key] && source.value === key) { listed(); show(remembered); }
    }, function () { said.textContent = "The figures of " + chosen.text + " could not be loaded."; });
  }

  /* What the address asks for: whether it asked. */
  function restore() {
    var found = shared.asked();
    if (!found.of) { return false; }
    asked = { series: shared.decoded(found.series || ""), vintage: /^\d{4}-\d{2}-\d{2}$/.test(found.vintage || "") ? found.vintage : "" };
    Array.prototype.forEach.call(source.options, function (option) { if (option.value === shared.decoded(found.of)) { source.value = option.value; } });
    return true;
  }

  shared.stated = function (key, figures) { held[key] = figures; };
  shared.change[name] = changed;
  /* Another source has other vintages: its first is shown. The place stays where the source has it. */
  source.addEventListener("change", function () { asked = { series: picker.value }; pick(true); });
  picker.addEventListener("change", function () { if (current) { asked.series = picker.value; show(true); } });
  slider.addEventListener("input", function () { if (current) { tell(true); } });
  window.addEventListener("hashchange", function () { if (restore()) { pick(false); } });
  box.hidden = false;
  if (restore()) { box.scrollIntoView(); }
  pick(false);
})();
