//! The small display, on a thread of its own: a picture of it takes a tenth of a second on a slow bus, and LEDs
//! don't wait that long.

use std::{thread, time::Duration};

use linux_embedded_hal::I2cdev;
use ssd1306::{I2CDisplayInterface, Ssd1306, mode::BufferedGraphicsMode, prelude::*};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use super::{Fault, bus};
use rackberry_core::panel::{PanelFacts, board, screen};

/// How long a page stands.
const PAGE: Duration = Duration::from_secs(4);
/// More pictures than four a second nobody reads.
const REST: Duration = Duration::from_millis(250);
/// How often a display that is not there is looked for.
const RETRY: Duration = Duration::from_secs(5);

type Screen = Ssd1306<I2CInterface<I2cdev>, DisplaySize128x64, BufferedGraphicsMode<DisplaySize128x64>>;

/// Shows `facts` until nobody sends any more; the display is dark then. Runs on the thread that calls it.
pub fn run(display: &board::Display, mut facts: watch::Receiver<PanelFacts>) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_time().build() else { return };
    runtime.block_on(async {
        loop {
            match show(display, &mut facts).await {
                Ok(()) => return,
                // A display is optional: whoever has one sees whether it works.
                Err(fault) => tracing::debug!("no display: {fault}"),
            }
            let ended = async { while facts.changed().await.is_ok() {} };
            if timeout(RETRY, ended).await.is_ok() {
                return;
            }
        }
    });
}

async fn show(display: &board::Display, facts: &mut watch::Receiver<PanelFacts>) -> Result<(), Fault> {
    let mut screen = open(display)?;
    let (address, bus) = (display.address, display.i2c.display());
    tracing::info!("the display at 0x{address:02x} on {bus} works");
    let mut page = 0;
    loop {
        let shown = facts.borrow_and_update().clone();
        // A buffer in memory takes all that is drawn.
        let _ = screen::draw(&mut screen, &shown, page);
        screen.flush().map_err(|_| silent(display))?;
        sleep(REST).await;
        let patience = if screen::pages(&shown) > 1 { PAGE } else { Duration::MAX };
        match timeout(patience, facts.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => {
                // It may be gone by now; then it is dark anyhow.
                let _ = screen.set_display_on(false);
                return Ok(());
            }
            Err(_) => page += 1,
        }
    }
}

fn open(display: &board::Display) -> Result<Screen, Fault> {
    let bus = bus::i2c(&display.i2c)?;
    let rotation = if display.turned { DisplayRotation::Rotate180 } else { DisplayRotation::Rotate0 };
    let interface = I2CDisplayInterface::new_custom_address(bus, display.address);
    let mut screen = Ssd1306::new(interface, DisplaySize128x64, rotation).into_buffered_graphics_mode();
    screen.init().map_err(|_| silent(display))?;
    Ok(screen)
}

fn silent(display: &board::Display) -> Fault {
    Fault::Silent { bus: display.i2c.clone(), address: display.address }
}

/// Starts [`run`].
///
/// # Errors
/// When there can be no more threads.
pub fn start(
    display: board::Display,
    facts: watch::Receiver<PanelFacts>,
) -> std::io::Result<thread::JoinHandle<()>> {
    thread::Builder::new().name("display".into()).spawn(move || run(&display, facts))
}
