//! A run on the whole screen. A thread of its own draws it and reads the keys, so it answers at once whatever the run
//! is doing. Dropping the screen restores the terminal, whatever happens to the run; code that exits at once calls
//! [`give_back`] first.

mod draw;

use std::{
    io, panic,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anstream::{AutoStream, ColorChoice};
use ratatui::{
    DefaultTerminal, Terminal,
    backend::CrosstermBackend,
    crossterm::{
        cursor::Show,
        event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers},
        execute,
        terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode},
    },
};
use signal_hook::{consts::SIGINT, low_level};

use super::terminal::Text;

/// Time between two drawings.
const EVERY: Duration = Duration::from_millis(250);
/// Time between two checks for keys and signals.
const LOOK: Duration = Duration::from_millis(50);
/// Time to wait for the terminal to be restored; one that takes no more output is given up.
const PATIENCE: Duration = Duration::from_secs(1);
/// The thread's name.
const THREAD: &str = "screen";

/// The screen that has the terminal, or that had it last.
static LAST: Mutex<Option<Arc<Shared>>> = Mutex::new(None);

/// The contents of the screen.
#[derive(Clone, Default)]
pub struct View {
    /// A line about the run.
    pub about: Text,
    /// Number of epochs of the run.
    pub epochs: usize,
    pub epoch: usize,
    pub cases: (usize, usize),
    pub samples_per_second: f64,
    pub fastest: f64,
    /// Estimated time left, in words.
    pub left: String,
    /// Costs by epochs, which may be fractions.
    pub costs: Vec<(f64, f64)>,
    pub errors: Vec<(f64, f64)>,
    pub weights: Weights,
    /// The lines printed so far.
    pub lines: Text,
}

/// Weights of some hidden units, each as an image.
#[derive(Clone, Default)]
pub struct Weights {
    pub image: (usize, usize),
    /// Number of hidden units of the model.
    pub of: usize,
    /// The weights of one unit after the other.
    pub units: Vec<Vec<f32>>,
}

#[derive(Default)]
struct Shared {
    view: Mutex<View>,
    /// Whether the screen is to close.
    leaves: AtomicBool,
    /// Whether the screen has closed.
    left: Arc<AtomicBool>,
    /// Whether the program is to be suspended, as by SIGTSTP.
    suspends: Arc<AtomicBool>,
    /// Whether the program is to end, as by SIGQUIT.
    quits: Arc<AtomicBool>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Leaves the screen, if there is one.
pub fn give_back() {
    let last = lock(&LAST).clone();
    if let Some(shared) = last {
        shared.leave();
    }
}

/// Takes the terminal.
fn enter() -> io::Result<DefaultTerminal> {
    enable_raw_mode()?;
    execute!(io::stdout(), EnterAlternateScreen)?;
    Terminal::new(CrosstermBackend::new(io::stdout()))
}

/// Restores the terminal, as far as it is still there.
fn restore() {
    let _ = disable_raw_mode();
    let _ = execute!(io::stdout(), LeaveAlternateScreen, Show);
}

/// The screen.
pub struct Screen {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Screen {
    /// Opens the screen on the terminal.
    pub fn open() -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        #[cfg(unix)]
        shared.listen()?;
        *lock(&LAST) = Some(shared.clone());
        shared.tell_panics_in_lines();
        let its = shared.clone();
        let thread = enter().and_then(|terminal| {
            thread::Builder::new().name(THREAD.into()).spawn(move || its.hold(terminal))
        });
        let thread = thread.inspect_err(|_| {
            restore();
            shared.left.store(true, Ordering::SeqCst);
        })?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// The contents, for changes.
    pub fn view(&self) -> MutexGuard<'_, View> {
        lock(&self.shared.view)
    }

    /// Whether the screen is still open.
    pub fn is_open(&self) -> bool {
        !self.shared.left.load(Ordering::SeqCst)
    }

    /// Restores the terminal, and returns the lines that were not printed meanwhile.
    pub fn close(mut self) -> Text {
        self.end();
        std::mem::take(&mut self.view().lines)
    }

    fn end(&mut self) {
        self.shared.leaves.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported, and the terminal restored.
            let _ = thread.join();
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.end();
    }
}

impl Shared {
    /// SIGTSTP and SIGQUIT wait until the terminal is restored; then they act as usual.
    #[cfg(unix)]
    fn listen(&self) -> io::Result<()> {
        use signal_hook::{
            consts::{SIGQUIT, SIGTSTP},
            flag,
        };
        for (signal, flag) in [(SIGTSTP, &self.suspends), (SIGQUIT, &self.quits)] {
            flag::register_conditional_default(signal, self.left.clone())?;
            flag::register(signal, flag.clone())?;
        }
        Ok(())
    }

    /// Lets a panic in any thread restore the terminal before it is reported.
    fn tell_panics_in_lines(self: &Arc<Self>) {
        let (tell, its) = (panic::take_hook(), self.clone());
        panic::set_hook(Box::new(move |panic| {
            match thread::current().name() {
                Some(THREAD) => restore(),
                _ => its.leave(),
            }
            tell(panic);
        }));
    }

    /// Asks the thread to restore the terminal, and waits until it has.
    fn leave(&self) {
        self.leaves.store(true, Ordering::SeqCst);
        let start = Instant::now();
        while !self.left.load(Ordering::SeqCst) {
            if start.elapsed() > PATIENCE {
                let _ = disable_raw_mode();
                return;
            }
            thread::sleep(LOOK / 5);
        }
    }

    /// Holds the terminal until it is asked to leave.
    fn hold(&self, terminal: DefaultTerminal) {
        // If the terminal cannot be drawn on, the run continues in lines. After a panic it is restored already.
        if panic::catch_unwind(panic::AssertUnwindSafe(|| self.show(terminal))).is_ok() {
            restore();
        }
        self.left.store(true, Ordering::SeqCst);
        #[cfg(unix)]
        if self.quits.load(Ordering::SeqCst) {
            let _ = low_level::emulate_default_handler(signal_hook::consts::SIGQUIT);
        }
    }

    fn ends(&self) -> bool {
        self.leaves.load(Ordering::SeqCst) || self.quits.load(Ordering::SeqCst)
    }

    fn show(&self, mut terminal: DefaultTerminal) -> io::Result<()> {
        let colors = AutoStream::choice(&io::stdout()) != ColorChoice::Never;
        // Not every system tells the load.
        let mut system = sysinfo::System::new().ok();
        while !self.ends() {
            if self.suspends.swap(false, Ordering::SeqCst) {
                terminal = suspended(terminal)?;
            }
            let load = system.as_mut().map(|system| {
                system.refresh_cpu_usage();
                system.global_cpu_usage()
            });
            let view = lock(&self.view).clone();
            terminal.draw(|frame| draw::draw(frame, &view, load, colors))?;
            self.wait()?;
        }
        Ok(())
    }

    /// Waits for the time of the next drawing, or an event.
    fn wait(&self) -> io::Result<()> {
        let start = Instant::now();
        while start.elapsed() < EVERY && !self.ends() && !self.suspends.load(Ordering::SeqCst) {
            if event::poll(LOOK)? {
                self.heed(&event::read()?);
                break;
            }
        }
        Ok(())
    }

    /// Handles a key. q leaves the screen. In this mode the terminal delivers Ctrl-C and Ctrl-Z as keys: they leave the
    /// screen, then act as usual.
    fn heed(&self, event: &Event) {
        let Event::Key(KeyEvent { code, modifiers, kind: KeyEventKind::Press, .. }) = event else { return };
        let control = modifiers.contains(KeyModifiers::CONTROL);
        match code {
            KeyCode::Char('q') | KeyCode::Esc => self.leaves.store(true, Ordering::SeqCst),
            KeyCode::Char('c') if control => {
                self.leaves.store(true, Ordering::SeqCst);
                let _ = low_level::raise(SIGINT);
            }
            KeyCode::Char('z') if control => self.suspends.store(true, Ordering::SeqCst),
            _ => {}
        }
    }
}

/// Restores the terminal, suspends the program, and takes the terminal again when the program continues.
#[cfg(unix)]
fn suspended(terminal: DefaultTerminal) -> io::Result<DefaultTerminal> {
    drop(terminal);
    restore();
    low_level::emulate_default_handler(signal_hook::consts::SIGTSTP)?;
    enter()
}

/// Programs are not suspended on this system.
#[cfg(not(unix))]
fn suspended(terminal: DefaultTerminal) -> io::Result<DefaultTerminal> {
    Ok(terminal)
}
