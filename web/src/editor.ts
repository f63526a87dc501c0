// The editor of a query: CodeMirror with what it knows of SQL, and of the stream's columns and functions.

import { acceptCompletion, autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap, type CompletionContext } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { sql, SQLDialect } from "@codemirror/lang-sql";
import { bracketMatching, HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import { lintGutter, setDiagnostics, type Diagnostic } from "@codemirror/lint";
import { Compartment, EditorState } from "@codemirror/state";
import { EditorView, highlightActiveLine, highlightActiveLineGutter, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import type { Fault, Query } from "./model";
import { t } from "./text";

// Those of Flink SQL and of Kinesis Data Analytics that queries of a stream use.
const dialect = SQLDialect.define({
  keywords:
    "all and any as asc between by case cast create cross current desc descriptor distinct else end escape exists extract " +
    "false filter following from full group having hop in inner insert interval into is join last lateral left like limit " +
    "match_recognize measures natural not null nulls on or order outer over partition pattern preceding pump range replace " +
    "right row rows rowtime select session set stream table temporary then to true tumble unbounded union unknown using " +
    "values view watermark when where window with year month day hour minute second within",
  types:
    "array bigint boolean bytes char date decimal double float int integer map numeric real row smallint string time timestamp " +
    "timestamp_ltz tinyint varbinary varchar",
  identifierQuotes: '`"',
});

// Colours are the custom properties of the style sheet, which reach into the editor.
const highlighting = HighlightStyle.define([
  { tag: tags.keyword, color: "var(--accent)", fontWeight: "600" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--series-3)" },
  { tag: [tags.number, tags.bool, tags.null, tags.typeName], color: "var(--warn)" },
  { tag: tags.comment, color: "var(--dim)", fontStyle: "italic" },
]);

const theme = EditorView.theme({
  "&": { color: "var(--text)", fontSize: "0.95rem", minHeight: "14rem" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.5" },
  ".cm-content": { caretColor: "var(--text)" },
  ".cm-gutters": { background: "var(--page)", color: "var(--dim)", borderRight: "1px solid var(--line)" },
  ".cm-activeLine, .cm-activeLineGutter": { background: "var(--note-soft)" },
  ".cm-tooltip": { background: "var(--card)", color: "var(--text)", border: "1px solid var(--line-strong)", borderRadius: "6px" },
  ".cm-tooltip.cm-tooltip-autocomplete ul": { fontFamily: "var(--mono)", fontSize: "0.875rem" },
  ".cm-tooltip.cm-tooltip-autocomplete ul li[aria-selected]": { background: "var(--accent)", color: "var(--card)" },
  ".cm-completionDetail": { color: "inherit" },
  ".cm-diagnostic": { maxWidth: "30rem" },
  ".cm-matchingBracket, &.cm-focused .cm-matchingBracket": { background: "var(--good-soft)" },
});

// Where more than a character is put in place of a selection, as dictation does, the browser would edit the lines itself
// and keep their look by a style attribute, which the Content-Security-Policy refuses. So the editor puts it there.
const inOneGo = EditorView.domEventHandlers({
  beforeinput: (event, view) => {
    const text = event.data ?? "";
    if (event.inputType !== "insertText" || event.isComposing || text.length < 2) return false;
    event.preventDefault();
    view.dispatch(view.state.replaceSelection(text), { userEvent: "input.type", scrollIntoView: true });
    return true;
  },
});

export interface Editor {
  view: EditorView;
  text: () => string;
  setText: (text: string) => void;
  /** Completes the names of a query's source from now on. */
  complete: (query: Query) => void;
  /** Marks faults at their places. */
  mark: (faults: (Fault & { warning?: boolean })[]) => void;
  /** Moves the cursor to a fault, and the focus with it. */
  goTo: (fault: Fault) => void;
}

export function makeEditor(parent: HTMLElement, text: string, changed: (text: string) => void): Editor {
  const language = new Compartment();
  // In a document, CodeMirror would add style elements, which the Content-Security-Policy refuses. In a shadow root it
  // adopts style sheets.
  const root = parent.attachShadow({ mode: "open" });
  const view = new EditorView({
    parent: root,
    root,
    state: EditorState.create({
      doc: text,
      extensions: [
        lineNumbers(),
        lintGutter(),
        history(),
        bracketMatching(),
        closeBrackets(),
        autocompletion(),
        highlightActiveLine(),
        highlightActiveLineGutter(),
        theme,
        inOneGo,
        syntaxHighlighting(highlighting),
        EditorView.lineWrapping,
        EditorView.contentAttributes.of({ "aria-label": t.sqlEditor, spellcheck: "false" }),
        EditorState.phrases.of({ Completions: t.completions, "Control character": t.controlCharacter }),
        // Tab moves the focus, as everywhere on the page, unless a completion is offered.
        keymap.of([{ key: "Tab", run: acceptCompletion }, ...closeBracketsKeymap, ...defaultKeymap, ...historyKeymap, ...completionKeymap]),
        language.of(sql({ dialect, upperCaseKeywords: true })),
        EditorView.updateListener.of((update) => {
          if (update.docChanged) changed(update.state.doc.toString());
        }),
      ],
    }),
  });
  const place = (fault: Fault) => {
    const doc = view.state.doc;
    const line = doc.line(Math.min(Math.max(fault.line, 1), doc.lines));
    return { from: Math.min(line.from + Math.max(fault.column - 1, 0), line.to), end: line.to };
  };
  return {
    view,
    text: () => view.state.doc.toString(),
    setText: (next) => view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: next } }),
    complete: (query) => {
      const columns = (query.columns ?? []).flatMap((c) =>
        [c.name, c.alias].filter((name) => name).map((name) => ({ label: name!, type: "property", detail: c.type })),
      );
      const functions = (query.functions ?? []).map((name) => ({ label: name, type: "function", apply: name }));
      const source = query.source ? [{ label: query.source, type: "class", detail: t.stream }] : [];
      const names = [...source, ...columns, ...functions];
      view.dispatch({
        effects: language.reconfigure([
          sql({ dialect, upperCaseKeywords: true }),
          dialect.language.data.of({
            autocomplete: (context: CompletionContext) => {
              const word = context.matchBefore(/["`]?[\w$]*/);
              if (!word || (word.from === word.to && !context.explicit)) return null;
              const quoted = /^["`]/.test(word.text);
              return { from: quoted ? word.from + 1 : word.from, options: names, validFor: /^[\w$]*$/ };
            },
          }),
        ]),
      });
    },
    mark: (faults) => {
      const marks: Diagnostic[] = faults.map((fault) => {
        const { from, end } = place(fault);
        const word = /^\S+/.exec(view.state.doc.sliceString(from, end))?.[0].length ?? 0;
        return { from, to: from + word, severity: fault.warning ? "warning" : "error", message: fault.message };
      });
      view.dispatch(setDiagnostics(view.state, marks));
    },
    goTo: (fault) => {
      view.dispatch({ selection: { anchor: place(fault).from }, scrollIntoView: true });
      view.focus();
    },
  };
}
