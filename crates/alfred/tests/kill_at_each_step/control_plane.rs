//! One `alfred up` as a process of its own.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::stage::Stage;

/// A process that has not said where it listens after this has failed.
const START_LIMIT: Duration = Duration::from_mins(1);

/// Where and how to crash.
#[derive(Clone, Default)]
pub(crate) struct Crash {
    pub(crate) at: Option<u64>,
    pub(crate) log: Option<std::path::PathBuf>,
}

pub(crate) struct ControlPlane {
    child: Child,
    pub(crate) url: String,
}

impl ControlPlane {
    /// Starts it and waits until it listens; nothing, if it ended before that.
    pub(crate) async fn start(stage: &Stage, data_dir: &Path, crash: &Crash) -> Option<Self> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_alfred"));
        command
            .arg("up")
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("ALFRED_DATA_DIR", data_dir)
            .envs(stage.variables())
            .current_dir(stage.data.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        if let Some(at) = crash.at {
            command.env("ALFRED_CRASH_AT", at.to_string());
        }
        if let Some(log) = &crash.log {
            command.env("ALFRED_CRASH_LOG", log);
        }
        let mut child = command.spawn().expect("the binary can be started");
        let stderr = child.stderr.take().expect("it was piped");
        let stdout = child.stdout.take().expect("it was piped");
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel::<String>();
        for stream in [Box::new(stderr) as Box<dyn tokio::io::AsyncRead + Send + Unpin>, Box::new(stdout)] {
            let sender = sender.clone();
            tokio::spawn(async move {
                let mut lines = BufReader::new(stream).lines();
                while let Ok(Some(line)) = lines.next_line().await {
                    let _ = sender.send(line);
                }
            });
        }
        drop(sender);
        let mut said = Vec::new();
        let url = tokio::time::timeout(START_LIMIT, async {
            while let Some(line) = receiver.recv().await {
                if let Some((_, url)) = line.split_once("alfred is up: ") {
                    return Some(url.trim().to_owned());
                }
                said.push(line);
            }
            None
        })
        .await
        .expect("the process says within a minute where it listens");
        let Some(url) = url else {
            let status = child.wait().await.expect("it has ended");
            assert!(killed(status), "the process ended by itself: {said:#?}");
            return None;
        };
        // What it says later is read, so that it can go on saying it.
        tokio::spawn(async move { while receiver.recv().await.is_some() {} });
        Some(Self { child, url })
    }

    /// Whether it has ended; it must have been killed then.
    pub(crate) fn is_dead(&mut self) -> bool {
        match self.child.try_wait().expect("a child can be asked") {
            None => false,
            Some(status) => {
                assert!(killed(status), "the process ended by itself: {status}");
                true
            }
        }
    }

    /// Ends it in an orderly way.
    pub(crate) async fn stop(mut self) {
        if let Some(id) = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw)
        {
            let _ = rustix::process::kill_process(id, rustix::process::Signal::INT);
        }
        let ended = tokio::time::timeout(START_LIMIT, self.child.wait()).await;
        ended.expect("it stops within a minute").expect("it has ended");
    }
}

fn killed(status: std::process::ExitStatus) -> bool {
    std::os::unix::process::ExitStatusExt::signal(&status) == Some(9)
}
