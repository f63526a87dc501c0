// The smallest page of the console: the verdict, what is wrong, and the picture of the stack as data.
const at = (id) => document.getElementById(id);
new EventSource("events?topics=flow").addEventListener("flow", (event) => {
  const flow = JSON.parse(event.data);
  at("tone").textContent = flow.verdict ? flow.verdict.verdict : flow.stack || "Streamproof";
  at("sentence").textContent = flow.sentence;
  at("problems").replaceChildren(...flow.problems.map((problem) => {
    const item = document.createElement("li");
    item.textContent = [problem.text, ...(problem.commands || [])].join(" ");
    return item;
  }));
  at("flow").textContent = JSON.stringify({ arrows: flow.arrows, stream: flow.stream, analytics: flow.analytics, bucket: flow.bucket }, null, 2);
});
