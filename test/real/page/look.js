// look says what the page in the frame is like: what is wider than it, and what
// axe-core says.
async function look(frame) {
  const doc = frame.contentDocument, view = frame.contentWindow;
  const wide = doc.documentElement.clientWidth;
  const out = [];
  for (const e of doc.querySelectorAll('body *')) {
    if (e.closest('.wide, figure, .skip')) continue; // these scroll by themselves, or are out of sight
    const r = e.getBoundingClientRect();
    if (r.width > 0 && r.right > wide + 1) out.push(e.tagName + ' ' + e.className + ' ' + Math.round(r.right));
  }
  const found = await view.axe.run(doc, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']});
  const says = list => list.flatMap(v => v.nodes.map(n => v.id + ': ' + n.target.join(' ') + ': ' + (n.failureSummary || '')));
  return {
    width: wide, scroll: doc.documentElement.scrollWidth, height: doc.documentElement.scrollHeight, over: out,
    dark: view.matchMedia('(prefers-color-scheme: dark)').matches, background: view.getComputedStyle(doc.body).backgroundColor,
    violations: says(found.violations), unsure: says(found.incomplete), passed: found.passes.length,
  };
}
