//! `deploy-lambda --watch`: a change is live as soon as it is compiled, under load, without one failed request.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use aws_sdk_lambda::primitives::Blob;
use rustix::process::Signal;

use crate::support::machine::Started;
use crate::support::{Machine, small, until};

/// Calls a function until it is told to stop.
struct Load {
    stop: Arc<AtomicBool>,
    calls: Arc<AtomicU64>,
    newest: Arc<AtomicU64>,
    thread: std::thread::JoinHandle<()>,
}

impl Load {
    fn start(machine: &Machine) -> Self {
        let (stop, calls, newest) =
            (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let lambda = aws_sdk_lambda::Client::new(&machine.clients().unwrap().sdk());
        let ours = (stop.clone(), calls.clone(), newest.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let caller = async || {
                while !ours.0.load(Ordering::Relaxed) {
                    let sent =
                        lambda.invoke().function_name("small-dev-one").payload(Blob::new("{\"do\":\"wait\"}")).send();
                    let answer = sent.await.unwrap();
                    let text = String::from_utf8(answer.payload().unwrap().as_ref().to_vec()).unwrap();
                    assert_eq!(answer.function_error(), None, "{text}");
                    let (_, rest) = text.split_once("generation ").unwrap();
                    ours.2.fetch_max(rest.split(' ').next().unwrap().parse().unwrap(), Ordering::Relaxed);
                    ours.1.fetch_add(1, Ordering::Relaxed);
                }
            };
            runtime.block_on(async { tokio::join!(caller(), caller(), caller()) });
        });
        Load { stop, calls, newest, thread }
    }

    /// Ends it; none of its calls failed.
    fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
        assert!(self.calls.load(Ordering::Relaxed) > 20);
    }
}

fn save(machine: &Machine, text: &str) {
    machine.write("small/lambdas/one/src/main.rs", text);
}

fn says(watch: &Started, what: &str, times: usize) {
    says_so(watch, what, |said| said.matches(what).count() == times);
}

#[track_caller]
fn says_so(watch: &Started, what: &str, done: impl Fn(&str) -> bool) {
    let begun = Instant::now();
    while !done(&watch.said()) {
        assert!(begun.elapsed() < Duration::from_secs(120), "waited in vain: {what}\n{}", watch.said());
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn what_is_saved_is_live_once_compiled_and_what_does_not_compile_is_told_and_waited_for() {
    let machine = Machine::new();
    small::write(&machine);
    machine.well(&["up", "small", "--local", "--yes"]);
    let inside = machine.run(&["deploy-lambda", "superheroes", "--local", "--watch"]).ended(2);
    assert!(inside.contains("hint: labctl init superheroes"), "{inside}");
    let load = Load::start(&machine);
    let watch = machine.start(&["deploy-lambda", "small", "--local", "--watch"]);
    says(&watch, "watching the sources", 1);
    save(&machine, &small::source(2));
    says(&watch, " ms after it was compiled: small-dev-one, small-dev-two", 1);
    until("the new code answers", || load.newest.load(Ordering::Relaxed) == 2);
    save(&machine, &small::source(3).replace("fn main()", "fn mian()"));
    says(&watch, "error: cannot build function `one`", 1);
    assert!(watch.said().contains("`main` function not found"), "{}", watch.said());
    save(&machine, &small::source(3));
    says(&watch, " ms after it was compiled: small-dev-one, small-dev-two", 2);
    // Saved once more as it is: the system tells of it, and the stack has to be told all the same.
    save(&machine, &small::source(3));
    until("the newest code answers", || load.newest.load(Ordering::Relaxed) == 3);
    says_so(&watch, "the stack knows of it", |said| {
        said.rfind("stack functions: updated") > said.rfind(" ms after it was compiled")
    });
    let known = machine.json(&["deploy-lambda", "small", "--local"]);
    assert_eq!(known["changed"], false, "{known}");
    // Interrupted between the two, it says what is left to do.
    save(&machine, &small::source(4));
    says(&watch, " ms after it was compiled: small-dev-one, small-dev-two", 3);
    watch.signal(Signal::INT);
    let (code, said) = watch.wait();
    assert_eq!(code, Some(130), "{said}");
    assert!(!said.contains("interrupted"), "to interrupt it is the way to end it: {said}");
    let left = "warning: the stacks do not know yet what one runs now: labctl deploy-lambda small one --local";
    assert!(said.trim_end().ends_with(left), "{said}");
    load.end();
    for changed in [true, false] {
        assert_eq!(machine.json(&["deploy-lambda", "small", "one", "--local"])["changed"], changed);
    }
    machine.well(&["down", "small", "--local", "--yes"]);
}
