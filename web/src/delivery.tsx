// What was delivered: the folders of the bucket, and objects as tables, decompressed and out of their envelopes.

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { bytes, count, visible } from "./format";
import type { Contents, Flow, Listing, ObjectLine } from "./model";
import { busy, latest, Steps, useResult } from "./operation";
import { begin, flow, get } from "./server";
import { t } from "./text";
import { Card, Change, Commands, Dialog, Fact, Field, Raw, Scroll, Time } from "./ui";

export function DeliveryView() {
  const f = flow.value;
  const d = f?.delivery;
  const reshaped = latest("delivery");
  const replaced = useResult<{ query: string }>(reshaped);
  const prefixes = [f?.bucket.prefix, d?.rejectsPrefix, d?.failedPrefix].filter((p): p is string => Boolean(p));
  const prefix = useSignal<string | null>(null);
  const key = useSignal<string | null>(null);
  const at = prefix.value ?? prefixes[0];
  return (
    <>
      {d ? (
        <Card title={d.deliveryStream} side={<Reshape delivery={d} />}>
          <dl class="facts">
            <Fact name={t.buffer}>{t.bufferOf(d.bufferSizeMB, d.bufferIntervalSeconds)}</Fact>
            <Fact name={t.format}>{d.outputFormat}</Fact>
            <Fact name={t.transform}>{d.transform}</Fact>
            <Fact name={t.compression}>{d.compression}</Fact>
          </dl>
          {reshaped ? <Steps operation={reshaped} /> : null}
          {replaced ? <p lang="en">{visible(replaced.query)}</p> : null}
        </Card>
      ) : null}
      {at === undefined ? null : (
        <Card
          title={t.deliveryTitle}
          side={
            <div class="actions" role="group" aria-label={t.prefix}>
              {prefixes.map((one) => (
                <button
                  key={one}
                  type="button"
                  aria-pressed={at.startsWith(one)}
                  onClick={() => {
                    prefix.value = one;
                    key.value = null;
                  }}
                >
                  <Raw text={one} />
                </button>
              ))}
            </div>
          }
        >
          <Folder
            key={at}
            prefix={at}
            up={prefixes.includes(at) ? null : parent(at)}
            enter={(folder) => (prefix.value = folder)}
            open={(object) => (key.value = object)}
          />
        </Card>
      )}
      {key.value === null ? null : <Opened key={key.value} object={key.value} />}
    </>
  );
}

// The parameters of the template that a console changes, with their values.
const shapes = { OutputFormat: ["CSV", "JSON"], Transform: ["none", "JSON", "CSV"], Compression: ["none", "GZIP"] } as const;
const shapeNames = ["OutputFormat", "Transform", "Compression"] as const;
const shapeLabels = { OutputFormat: t.format, Transform: t.transform, Compression: t.compression };

/** Changes the shape of the objects from now on. On AWS it says how, because SAM deploys there. */
function Reshape({ delivery: d }: { delivery: NonNullable<Flow["delivery"]> }) {
  const open = useSignal(false);
  const chosen = useSignal<Record<string, string>>({});
  const now: Record<string, string> = { OutputFormat: d.outputFormat, Transform: d.transform, Compression: d.compression };
  const changed = shapeNames.filter((name) => (chosen.value[name] ?? now[name]) !== now[name]);
  const f = flow.value!;
  const run = async () => {
    await begin("api/delivery", { parameters: Object.fromEntries(changed.map((name) => [name, chosen.value[name]])) });
    open.value = false;
  };
  const command = `sam deploy --stack-name ${f.stack} --region ${f.region} --parameter-overrides ${changed.map((name) => `${name}=${chosen.value[name]}`).join(" ")}`;
  return (
    <>
      <Change
        label={`${t.reshape}…`}
        off={f.local ? busy() : undefined}
        reads={!f.local}
        run={() => {
          chosen.value = {};
          open.value = true;
        }}
      />
      {open.value ? (
        <Dialog title={t.reshape} close={() => (open.value = false)}>
          <p>{f.local ? t.reshapeText : t.reshapeAWS}</p>
          {shapeNames.map((name) => (
            <Field key={name} label={shapeLabels[name]}>
              {(id) => (
                <select
                  id={id}
                  value={chosen.value[name] ?? now[name]}
                  onInput={(e) => (chosen.value = { ...chosen.value, [name]: e.currentTarget.value })}
                >
                  {shapes[name].map((value) => (
                    <option key={value}>{value}</option>
                  ))}
                </select>
              )}
            </Field>
          ))}
          {changed.includes("OutputFormat") && f.analytics?.by === "sql run" ? <p class="bad">{t.reshapeQuery}</p> : null}
          {!f.local && changed.length > 0 ? <Commands commands={[command]} /> : null}
          <div class="actions">
            {f.local ? <Change label={t.reshapeDo} main off={changed.length === 0 ? t.reshapeSame : undefined} run={run} /> : null}
            <button type="button" onClick={() => (open.value = false)}>
              {f.local ? t.cancel : t.close}
            </button>
          </div>
        </Dialog>
      ) : null}
    </>
  );
}

const parent = (folder: string) => folder.replace(/[^/]+\/$/, "");

/** What an address answers, once it has. */
function useAnswer<T>(path: string) {
  const answer = useSignal<T | null>(null);
  const error = useSignal("");
  useEffect(() => {
    const stop = new AbortController();
    get<T>(path, stop.signal).then(
      (value) => {
        answer.value = value;
        error.value = "";
      },
      (e: Error) => {
        if (!stop.signal.aborted) error.value = e.message;
      },
    );
    return () => stop.abort();
  }, [path]);
  return { answer: answer.value, error: error.value };
}

function Waiting({ error }: { error: string }) {
  return error ? (
    <p class="error" role="alert">
      {visible(error)}
    </p>
  ) : (
    <p class="dim">{t.loading}</p>
  );
}

function Folder(props: { prefix: string; up: string | null; enter: (folder: string) => void; open: (key: string) => void }) {
  const after = useSignal("");
  const { answer: listing, error } = useAnswer<Listing>(
    `api/objects?prefix=${encodeURIComponent(props.prefix)}&after=${encodeURIComponent(after.value)}`,
  );
  if (!listing) return <Waiting error={error} />;
  const name = (key: string) => key.slice(props.prefix.length);
  return (
    <>
      <p>
        <Raw text={`s3://${listing.bucket}/${listing.prefix}`} />
      </p>
      <div class="actions">
        {props.up === null ? null : (
          <button type="button" onClick={() => props.enter(props.up!)}>
            {t.up}
          </button>
        )}
        {listing.after ? (
          <button type="button" onClick={() => (after.value = listing.after!)}>
            {t.nextPage}
          </button>
        ) : null}
      </div>
      {listing.folders.length + listing.objects.length === 0 ? (
        <p class="dim">{t.empty}</p>
      ) : (
        <Scroll label={t.deliveryTitle} class="data">
          <table>
            <thead>
              <tr>
                <th scope="col">{t.object}</th>
                <th scope="col" class="n">
                  {t.size}
                </th>
                <th scope="col">{t.modified}</th>
              </tr>
            </thead>
            <tbody>
              {listing.folders.map((folder) => (
                <tr key={folder}>
                  <th scope="row">
                    <button type="button" class="quiet" onClick={() => props.enter(folder)}>
                      <Raw text={name(folder)} />
                    </button>
                  </th>
                  <td class="n dim">{t.folder}</td>
                  <td />
                </tr>
              ))}
              {listing.objects.map((object) => (
                <tr key={object.key}>
                  <th scope="row">
                    <button type="button" class="quiet" onClick={() => props.open(object.key)}>
                      <Raw text={name(object.key)} />
                    </button>
                  </th>
                  <td class="n">{bytes(object.bytes)}</td>
                  <td>
                    <Time at={object.modified} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
    </>
  );
}

function Opened({ object }: { object: string }) {
  const { answer: c, error } = useAnswer<Contents>(`api/object?key=${encodeURIComponent(object)}`);
  const ref = useRef<HTMLDivElement>(null);
  useEffect(() => ref.current?.focus(), [c]);
  return (
    <div ref={ref} tabIndex={-1} class="opened-object">
      <Card title={object.slice(object.lastIndexOf("/") + 1)} side={c ? <span class="dim">{bytes(c.bytes)}</span> : null}>
        {!c ? <Waiting error={error} /> : <Lines contents={c} />}
      </Card>
    </div>
  );
}

function Lines({ contents: c }: { contents: Contents }) {
  const columns = c.columns ?? [];
  const enveloped = c.lines.some((line) => line.envelope);
  return (
    <>
      <p class="dim">
        {c.compressed ? `${t.decompressed} ` : ""}
        {t.linesN(count(c.lines.length), c.lines.length)} {c.truncated ? t.truncated : ""}
      </p>
      {c.problem ? (
        <p class="error" lang="en">
          {visible(c.problem)}
        </p>
      ) : null}
      <Scroll label={t.lines} class="data">
        <table>
          <thead>
            <tr>
              <th scope="col" class="n">
                {t.line}
              </th>
              {enveloped ? (
                <>
                  <th scope="col">{t.reason}</th>
                  <th scope="col">{t.data}</th>
                  <th scope="col">{t.shard}</th>
                  <th scope="col">{t.sequence}</th>
                </>
              ) : columns.length > 0 ? (
                columns.map((name) => (
                  <th key={name} scope="col">
                    <Raw text={name} />
                  </th>
                ))
              ) : (
                <th scope="col">{t.data}</th>
              )}
            </tr>
          </thead>
          <tbody>
            {c.lines.map((line) => (
              <tr key={line.number}>
                <td class="n dim">{count(line.number)}</td>
                <Cells line={line} columns={columns.length} />
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </>
  );
}

function Cells({ line, columns }: { line: ObjectLine; columns: number }) {
  const e = line.envelope;
  if (e)
    return (
      <>
        <td lang="en">
          {visible(e.reason)}
          {e.column ? ` (${visible(e.column)})` : ""}
        </td>
        <td>
          <Raw text={e.data} />
        </td>
        <td>
          <Raw text={e.shard ?? ""} />
        </td>
        <td>
          <Raw text={e.sequenceNumber ?? ""} />
        </td>
      </>
    );
  if (line.values)
    return (
      <>
        {line.values.map((value, i) => (
          <td key={i}>{value === null ? <span class="dim">NULL</span> : <Raw text={value} />}</td>
        ))}
      </>
    );
  return (
    <td colSpan={Math.max(columns, 1)}>
      <Raw text={line.text} />
      {line.problem ? (
        <span class="bad" lang="en">
          {" "}
          {visible(line.problem)}
        </span>
      ) : null}
    </td>
  );
}
