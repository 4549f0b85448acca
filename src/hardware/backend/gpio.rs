//! Lines of the GPIO character device (uAPI v2 only: newer kernels have v1 switched off).

use std::{path::PathBuf, time::Duration};

use gpiocdev::{
    Request,
    line::{Bias, EdgeDetection, EdgeKind, EventClock, Value},
    request::Builder,
};
use gpiocdev_embedded_hal::OutputPin;
use rustix::io::Errno;
use tokio::{io::unix::AsyncFd, time::sleep};

use super::{CONSUMER, Fault, watched};
use crate::service::clock::Clock;
use rackberry_core::panel::{
    Contact, Edge, Tracker,
    board::{Active, Line, Pull},
};

/// Edges that the kernel keeps for us. A contact that bounces makes some dozens.
const QUEUE: u32 = 128;
/// More edges at once than this are noise, and so is any loss: they are looked at a little later, together.
const MOST_EDGES: usize = 32;
const NAP: Duration = Duration::from_millis(20);
/// The group whose members may use GPIO.
const GROUP: &str = "gpio";

/// A GPIO chip.
#[derive(Debug)]
pub struct Chip {
    chip: gpiocdev::chip::Chip,
    path: PathBuf,
    label: String,
    lines: u32,
}

impl Chip {
    /// The first of `labels` that is there.
    pub fn find(labels: &[String]) -> Result<Chip, Fault> {
        let paths = gpiocdev::chip::chips().unwrap_or_default();
        let mut here = Vec::new();
        let mut denied = None;
        let mut found: Vec<Chip> = Vec::new();
        for path in paths {
            match gpiocdev::chip::Chip::from_path(&path) {
                Ok(chip) => {
                    let info = chip
                        .info()
                        .map_err(|e| Fault::failed(format!("can't look at {}", path.display()), e))?;
                    here.push(info.label.clone());
                    found.push(Chip { chip, path, label: info.label, lines: info.num_lines });
                }
                Err(error) if errno(&error) == Some(Errno::ACCESS) => denied = denied.or(Some(path)),
                // It may have gone meanwhile.
                Err(_) => {}
            }
        }
        let wanted = labels.iter().find_map(|label| found.iter().position(|chip| chip.label == *label));
        match (wanted, denied) {
            (Some(at), _) => Ok(found.swap_remove(at)),
            (None, Some(device)) => Err(Fault::no_right(&device, GROUP)),
            (None, None) if here.is_empty() => Err(Fault::NoGpio),
            (None, None) => Err(Fault::NoChip { wanted: labels.to_vec(), here }),
        }
    }

    /// Whether it is a Raspberry Pi's own.
    pub fn is_raspberry_pi(&self) -> bool {
        self.label.starts_with("pinctrl-bcm2") || self.label == "pinctrl-rp1"
    }

    /// The line's number on this chip.
    pub fn offset(&self, line: &Line) -> Result<u32, Fault> {
        let offset = match line {
            Line::Offset(offset) => Some(*offset).filter(|offset| *offset < self.lines),
            Line::Name(name) => self.chip.find_line_info(name).map(|info| info.offset),
        };
        offset.ok_or_else(|| Fault::NoLine { chip: self.label.clone(), line: line.to_string() })
    }

    /// Looks whether the line could be used.
    pub fn examine(&self, line: &Line) -> Result<(), Fault> {
        let info = self
            .chip
            .line_info(self.offset(line)?)
            .map_err(|error| Fault::failed(format!("can't look at line {line} of {}", self.label), error))?;
        if info.used && info.consumer != CONSUMER {
            return Err(self.in_use(line, &info.consumer));
        }
        Ok(())
    }

    /// The line as an output, its LED dark.
    pub fn output(&self, line: &Line, active: Active) -> Result<OutputPin, Fault> {
        let mut builder = Request::builder();
        builder.as_output(Value::Inactive);
        if active == Active::Low {
            builder.as_active_low();
        }
        let request = self.request(line, &mut builder)?;
        OutputPin::try_from(request)
            .map_err(|error| Fault::failed(format!("line {line} of {}", self.label), error))
    }

    /// The line as the button, and whether it is down now.
    pub fn button(&self, line: &Line, active: Active, pull: Pull) -> Result<(LineButton, bool), Fault> {
        let mut builder = Request::builder();
        // Not debounced by the kernel: that hides noise. While a line flickers faster than the debounce period,
        // the kernel reports the level from before, which can look like a button held for seconds.
        builder.as_input().with_bias(bias(pull)).with_kernel_event_buffer_size(QUEUE);
        if active == Active::Low {
            builder.as_active_low();
        }
        let button = self.edges(line, &mut builder)?;
        let is_pressed = button.is_active()?;
        Ok((button, is_pressed))
    }

    /// The line that tells of a port expander's interrupt: low while there is one.
    pub fn interrupt(&self, line: &Line) -> Result<LineButton, Fault> {
        let mut builder = Request::builder();
        builder.as_input().as_active_low().with_bias(Bias::PullUp);
        self.edges(line, &mut builder)
    }

    fn edges(&self, line: &Line, builder: &mut Builder) -> Result<LineButton, Fault> {
        builder.with_edge_detection(EdgeDetection::BothEdges).with_event_clock(EventClock::Monotonic);
        let request = self.request(line, builder)?;
        let what = format!("line {line} of {}", self.label);
        let request = watched::watched(request).map_err(|error| Fault::failed(what.clone(), error))?;
        Ok(LineButton { request, what, tracker: Tracker::default(), is_noisy: false })
    }

    fn request(&self, line: &Line, builder: &mut Builder) -> Result<Request, Fault> {
        let offset = self.offset(line)?;
        builder.on_chip(&self.path).with_line(offset).with_consumer(CONSUMER).request().map_err(|error| {
            if errno(&error) == Some(Errno::BUSY) {
                let consumer = self.chip.line_info(offset).map(|info| info.consumer).unwrap_or_default();
                return self.in_use(line, &consumer);
            }
            Fault::failed(format!("can't use line {line} of {}", self.label), error)
        })
    }

    fn in_use(&self, line: &Line, consumer: &str) -> Fault {
        let consumer = if consumer.is_empty() { "the kernel" } else { consumer };
        Fault::InUse { chip: self.label.clone(), line: line.to_string(), consumer: consumer.to_owned() }
    }
}

fn bias(pull: Pull) -> Option<Bias> {
    match pull {
        Pull::Up => Some(Bias::PullUp),
        Pull::Down => Some(Bias::PullDown),
        Pull::None => Some(Bias::Disabled),
    }
}

fn errno(error: &gpiocdev::Error) -> Option<Errno> {
    let code = match error {
        gpiocdev::Error::Os(errno) => errno.0,
        gpiocdev::Error::Uapi(_, gpiocdev_uapi::Error::Os(errno)) => errno.0,
        _ => return None,
    };
    Some(Errno::from_raw_os_error(code))
}

/// An input line whose edges the kernel keeps, with the time of each.
#[derive(Debug)]
pub struct LineButton {
    request: AsyncFd<Request>,
    what: String,
    tracker: Tracker,
    is_noisy: bool,
}

impl LineButton {
    /// Whether the line is active now.
    pub fn is_active(&self) -> Result<bool, Fault> {
        let value = self.request.get_ref().lone_value().map_err(|error| self.fault(&error))?;
        Ok(value == Value::Active)
    }

    /// Waits for an edge; the kernel wakes this, nobody polls.
    pub async fn wait(&self) -> Result<(), Fault> {
        if self.is_noisy {
            // There may be more already, of which nobody will tell.
            sleep(NAP).await;
            return Ok(());
        }
        let mut ready =
            self.request.readable().await.map_err(|error| Fault::failed(self.what.clone(), error))?;
        // All edges are taken after this, so that none is missed.
        ready.clear_ready();
        Ok(())
    }

    /// All edges so far.
    pub fn take(&mut self, clock: Clock) -> Result<Vec<Edge>, Fault> {
        let mut edges = Vec::new();
        loop {
            let request = self.request.get_ref();
            let has_edge = request.has_edge_event().map_err(|error| self.fault(&error))?;
            // A line that changes all the time must not hold up the LEDs.
            if !has_edge || edges.len() == QUEUE as usize {
                self.is_noisy = edges.len() > MOST_EDGES || edges.iter().any(|edge: &Edge| edge.after_loss);
                return Ok(edges);
            }
            let event = request.read_edge_event().map_err(|error| self.fault(&error))?;
            let at = clock.at_monotonic(Duration::from_nanos(event.timestamp_ns));
            edges.push(self.tracker.edge(
                event.line_seqno,
                Contact::from(event.kind == EdgeKind::Rising),
                at,
            ));
        }
    }

    fn fault(&self, error: &gpiocdev::Error) -> Fault {
        Fault::failed(self.what.clone(), error)
    }
}
