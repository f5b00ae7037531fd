//! How long `terraform apply` takes with each backend.

use std::time::Duration;

use crate::Failure;
use crate::stage::{Place, Stage};
use crate::terraform::Workspace;

/// The median through `/tfstate` on R2 is at most so many times that of Terraform's own S3 backend on the same R2.
const RATIO: f64 = 1.0;

/// So many of each come before those that are timed; the calls of the last of them are counted.
const WARM_UP: usize = 2;

const NAMES: [&str; 4] = ["local", "s3 on R2, lock file", "/tfstate, folder", "/tfstate, R2"];

/// What was measured of each backend, in the order of [`NAMES`].
pub(crate) struct Applies {
    /// Shortest first.
    times: [Vec<Duration>; 4],
    /// Calls of R2 for one apply.
    calls: [u64; 4],
}

/// Applies with each backend in turn, so that what else this machine does falls on all of them.
pub(crate) async fn measure(stage: &Stage, count: usize) -> Result<Applies, Failure> {
    let folder = stage.control_plane(Place::Folder, None)?;
    let r2 = stage.control_plane(Place::R2, None)?;
    let workspaces =
        [Workspace::local()?, Workspace::bucket(stage)?, Workspace::tfstate(&folder)?, Workspace::tfstate(&r2)?];
    let mut times: [Vec<Duration>; 4] = Default::default();
    let mut calls = [0; 4];
    workspaces.iter().try_for_each(|workspace| workspace.apply(0).map(drop))?;
    for (workspace, calls) in workspaces.iter().zip(&mut calls) {
        let before = stage.r2_calls().await?;
        workspace.apply(1)?;
        *calls = stage.r2_calls().await? - before;
    }
    for number in WARM_UP..count + WARM_UP {
        for (workspace, times) in workspaces.iter().zip(&mut times) {
            times.push(workspace.apply(number)?);
        }
    }
    for times in &mut times {
        times.sort_unstable();
    }
    Ok(Applies { times, calls })
}

impl Applies {
    pub(crate) fn print(&self) {
        println!("  {:<22} {:>9} {:>9} {:>9} {:>9} {:>9}", "backend", "median", "p90", "of local", "of s3", "R2 calls");
        let (local, s3) = (self.median(0), self.median(1));
        for (place, name) in NAMES.into_iter().enumerate() {
            let (median, p90) = (self.median(place), self.share(place, 9));
            println!(
                "  {name:<22} {:>9} {:>9} {:>9.2} {:>9.2} {:>9}",
                milliseconds(median),
                milliseconds(p90),
                median.div_duration_f64(local),
                median.div_duration_f64(s3),
                self.calls[place]
            );
        }
    }

    /// Prints the aims for an R2 that is `place`. Answers whether they are met.
    pub(crate) fn print_aims(&self, place: &str) -> bool {
        let ratio = self.median(3).div_duration_f64(self.median(1));
        let (own, theirs) = (self.calls[3], self.calls[1]);
        let told = |met: bool| if met { "met" } else { "not met" };
        let aims = [ratio <= RATIO, own <= theirs];
        println!(
            "{:<8} speed: an apply through `/tfstate` on R2 {place} takes at most {RATIO:.2} times one with Terraform's own S3 \
             backend, is {ratio:.2}",
            told(aims[0])
        );
        println!("{:<8} calls: no more of R2 {place} than Terraform's own backend, {own} and {theirs}", told(aims[1]));
        aims == [true; 2]
    }

    fn median(&self, place: usize) -> Duration {
        self.share(place, 5)
    }

    /// The time that so many tenths of all do not exceed.
    fn share(&self, place: usize, tenths: usize) -> Duration {
        let times = &self.times[place];
        times.get((times.len() * tenths).div_ceil(10).saturating_sub(1)).copied().unwrap_or_default()
    }
}

fn milliseconds(time: Duration) -> String {
    format!("{:.0} ms", time.as_secs_f64() * 1000.0)
}
