import { useState } from "react";
import { moment } from "../../format";
import { isTraining, trainingTold } from "../../insight/words";
import { useControls } from "../../link/operator";
import { nameOf, type Device } from "../../state/model";
import { useStore } from "../../state/store";
import { useTick } from "../../state/ticker";
import { words } from "../../words";
import { CommandButton } from "../CommandButton";
import { useLock, useViewer } from "../lock";
import { TrainingResult } from "./TrainingResult";

/** The forecaster of a device: have it trained, see it train, see what came of it. */
export function TrainingPanel({ device }: { device: Device }) {
  const { training } = device;
  const skewMs = useStore((state) => state.skewMs);
  const running = useTick((now) => isTraining(training, device.online, now + skewMs));
  const [watched, setWatched] = useState<string | null>(null);
  const job = training?.job ?? null;
  // The result of a job that was seen running is shown at once.
  if (running && job !== watched) setWatched(job);
  const viewer = useViewer();
  const today = useTick((now) => new Date(now + skewMs).setHours(0, 0, 0, 0));
  if (!training && viewer) return null;
  const told = training && !running ? trainingTold(training) : null;
  const at = Date.parse(training?.taken_at ?? "");
  const brokenOff = training?.status === true && !running;
  return (
    <section className="training" aria-label={`Forecast model of ${nameOf(device)}`} data-testid={`training-${device.name}`} data-running={running} data-phase={training?.phase ?? ""}>
      <div className="training-head">
        <h3>Forecast model</h3>
        {running && training ? (
          <Progress device={device.name} share={training.progress ?? 0} />
        ) : (
          <p className="training-told" role="status" data-tone={brokenOff ? "bad" : told?.tone}>
            {!training && "Never trained while this relay looked on"}
            {brokenOff && "Training broke off without a word; the model before it goes on serving, where there is one"}
            {told && !brokenOff && (
              <>
                <b>{told.what}</b>
                {told.why && ` (${told.why})`}
                {Number.isFinite(at) && <span className="quiet">, {moment(at, today)}</span>}
              </>
            )}
          </p>
        )}
        {!viewer && !device.profile.retired && <TrainButton device={device} running={running} />}
      </div>
      {training?.phase === "finished" && <TrainingResult device={device} training={training} open={job !== null && job === watched} />}
    </section>
  );
}

function Progress({ device, share }: { device: string; share: number }) {
  const percent = Math.round(share * 100);
  return (
    <p className="training-progress">
      <progress max={100} value={percent} aria-label="Training" data-testid={`training-progress-${device}`} />
      <span>{percent} %</span>
    </p>
  );
}

function TrainButton({ device, running }: { device: Device; running: boolean }) {
  const { relay } = useControls();
  const lock = useLock(device.name);
  const [asking, setAsking] = useState(false);
  const [refused, setRefused] = useState("");
  const train = async () => {
    setAsking(true);
    setRefused("");
    const ack = await relay.train(device.name);
    setAsking(false);
    if (!ack.ok) setRefused(words(ack.code, ack.message));
  };
  return (
    <div className="training-deed">
      <CommandButton
        testId={`train-${device.name}`}
        name={`Train now: the forecast model of ${nameOf(device)}`}
        className="button button-quiet"
        lock={lock}
        pending={asking}
        busy={running}
        onPress={() => void train()}
      >
        Train now
      </CommandButton>
      <p role="alert" className="training-refused">{refused}</p>
    </div>
  );
}
