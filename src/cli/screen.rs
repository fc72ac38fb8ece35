//! A run on the whole screen, drawn and listened to by a thread of its own, so that it answers at once whatever the run is
//! doing. Whatever becomes of the run, the terminal is as it was when this is gone: whoever ends the program at once calls
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

/// Time between two pictures of the run.
const EVERY: Duration = Duration::from_millis(250);
/// Time between two looks for keys and signals.
const LOOK: Duration = Duration::from_millis(50);
/// How long a terminal may take to be given back; one that takes no more output is not waited for.
const PATIENCE: Duration = Duration::from_secs(1);
/// The thread's name.
const THREAD: &str = "screen";

/// The screen that has the terminal, or had it last.
static LAST: Mutex<Option<Arc<Shared>>> = Mutex::new(None);

/// What is to be seen.
#[derive(Clone, Default)]
pub struct View {
    /// What the run is, in a line.
    pub about: Text,
    /// Its epochs, and its cases in all of them: how many are done, and of how many.
    pub epochs: usize,
    pub epoch: usize,
    pub cases: (usize, usize),
    pub samples_per_second: f64,
    pub fastest: f64,
    /// How long the rest will take, in words.
    pub left: String,
    /// By epochs, of which they may be parts.
    pub costs: Vec<(f64, f64)>,
    pub errors: Vec<(f64, f64)>,
    pub weights: Weights,
    /// What would have been printed.
    pub lines: Text,
}

/// Weights of some hidden units, each as an image.
#[derive(Clone, Default)]
pub struct Weights {
    pub image: (usize, usize),
    /// How many units there are.
    pub of: usize,
    /// A unit after the other.
    pub units: Vec<Vec<f32>>,
}

#[derive(Default)]
struct Shared {
    view: Mutex<View>,
    /// That it is to end, and that it has.
    leaves: AtomicBool,
    left: Arc<AtomicBool>,
    /// That the program is to stop until it is called back, and that it is to end as by SIGQUIT.
    suspends: Arc<AtomicBool>,
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

/// Puts the terminal back, as far as it is there.
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
    /// Takes the terminal.
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

    /// What is to be seen, to be changed.
    pub fn view(&self) -> MutexGuard<'_, View> {
        lock(&self.shared.view)
    }

    /// Whether it is still there.
    pub fn is_open(&self) -> bool {
        !self.shared.left.load(Ordering::SeqCst)
    }

    /// Gives the terminal back, with the lines that were not printed meanwhile.
    pub fn close(mut self) -> Text {
        self.end();
        std::mem::take(&mut self.view().lines)
    }

    fn end(&mut self) {
        self.shared.leaves.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            // A panic there has been told, and the terminal given back.
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
    /// SIGTSTP and SIGQUIT wait until the terminal is given back; when it has been, they are what they are everywhere.
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

    /// A panic of any thread's gives the terminal back before it is told.
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

    /// Asks the thread to give the terminal back, and waits until it has.
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

    /// Has the terminal until it is to leave it.
    fn hold(&self, terminal: DefaultTerminal) {
        // A terminal that cannot be drawn on is left, and the run goes on in lines. A panic has put it back already.
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
        // Not every system says.
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

    /// Waits until it is time for the next picture, or something happens.
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

    /// q leaves the screen. So does Ctrl-C, which is a key to a terminal in this mode, and then it is what it is everywhere; so is
    /// Ctrl-Z.
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

/// Gives the terminal back, stops the program, and takes the terminal again when somebody lets it go on.
#[cfg(unix)]
fn suspended(terminal: DefaultTerminal) -> io::Result<DefaultTerminal> {
    drop(terminal);
    restore();
    low_level::emulate_default_handler(signal_hook::consts::SIGTSTP)?;
    enter()
}

/// Programs are not stopped here.
#[cfg(not(unix))]
fn suspended(terminal: DefaultTerminal) -> io::Result<DefaultTerminal> {
    Ok(terminal)
}
