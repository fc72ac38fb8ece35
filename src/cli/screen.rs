//! A run on the whole screen, drawn and listened to by a thread of its own, so that it answers at once whatever the run is
//! doing. Whatever becomes of the run, the terminal is as it was when this is gone.

mod draw;

use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anstream::{AutoStream, ColorChoice};
use ratatui::{
    DefaultTerminal,
    crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers},
};
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag, low_level,
};

use super::terminal::Text;

/// Time between two pictures of the run.
const EVERY: Duration = Duration::from_millis(250);

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
    leaves: Arc<AtomicBool>,
    left: AtomicBool,
}

impl Shared {
    fn view(&self) -> MutexGuard<'_, View> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
        for signal in [SIGINT, SIGTERM] {
            flag::register(signal, shared.leaves.clone())?;
        }
        let terminal = ratatui::try_init()?;
        // The library's own hook has given the terminal back by the time that a panic is told.
        let (restore, leaves) = (std::panic::take_hook(), shared.leaves.clone());
        std::panic::set_hook(Box::new(move |panic| {
            leaves.store(true, Ordering::SeqCst);
            restore(panic);
        }));
        let its = shared.clone();
        let thread = thread::spawn(move || {
            // A terminal that cannot be drawn on is left, and the run goes on in lines.
            let _ = its.show(terminal);
            ratatui::restore();
            its.left.store(true, Ordering::SeqCst);
        });
        Ok(Self { shared, thread: Some(thread) })
    }

    /// What is to be seen, to be changed.
    pub fn view(&self) -> MutexGuard<'_, View> {
        self.shared.view()
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
    fn show(&self, mut terminal: DefaultTerminal) -> io::Result<()> {
        let colors = AutoStream::choice(&io::stdout()) != ColorChoice::Never;
        // Not every system says.
        let mut system = sysinfo::System::new().ok();
        while !self.leaves.load(Ordering::SeqCst) {
            let load = system.as_mut().map(|system| {
                system.refresh_cpu_usage();
                system.global_cpu_usage()
            });
            let view = self.view().clone();
            terminal.draw(|frame| draw::draw(frame, &view, load, colors))?;
            if event::poll(EVERY)? {
                self.heed(&event::read()?);
            }
        }
        Ok(())
    }

    /// q leaves the screen. So does Ctrl-C, which is a key to a terminal in this mode, and then it is what it is everywhere.
    fn heed(&self, event: &Event) {
        let Event::Key(KeyEvent { code, modifiers, kind: KeyEventKind::Press, .. }) = event else { return };
        match code {
            KeyCode::Char('q') | KeyCode::Esc => self.leaves.store(true, Ordering::SeqCst),
            KeyCode::Char('c') if modifiers.contains(KeyModifiers::CONTROL) => {
                self.leaves.store(true, Ordering::SeqCst);
                let _ = low_level::raise(SIGINT);
            }
            _ => {}
        }
    }
}
