//! `rackberry assets`: what is there, whether it is authentic, and bringing more.

use std::{
    io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail, ensure};

use super::{
    arguments::{AssetsCommand, CopyTarget, OutputFormat},
    control,
    paint::Paint,
    view,
};
use crate::{
    service::progress::{Bars, WorkBar},
    storage::{
        configuration,
        import::{self, Current, Imported, OtherFile, Rules},
        mirror, scan, verify,
    },
};
use rackberry_core::{
    appliance::AssetsView,
    assets::{
        authentic::FileVerdict,
        catalog::Catalog,
        folder::Found,
        version::{NotReady, Version},
    },
    config::{Settings, Verify},
};

/// Runs one of them.
pub async fn run(socket: &Path, command: AssetsCommand) -> anyhow::Result<()> {
    match command {
        AssetsCommand::List { output } => list(socket, output).await,
        AssetsCommand::Verify { config } => {
            blocking(place(socket, &config).await?, |place| verify(&place)).await
        }
        AssetsCommand::Import { path, to } => {
            let place = place(socket, &to.config).await?;
            blocking(place, move |place| import(&path, &to, &place)).await
        }
        AssetsCommand::Fetch { profile, version, arch, base_url, to } => {
            let place = place(socket, &to.config).await?;
            let known = place.catalog.profiles().find(|known| known.name == profile);
            let names: Vec<&str> = place.catalog.profiles().map(|known| known.name.as_str()).collect();
            let profile = known.with_context(|| {
                format!("profile {profile:?} is not known; known are: {}", names.join(", "))
            })?;
            let order = mirror::MirrorRequest {
                profile: profile.clone(),
                version,
                arch,
                base_url,
                to: place.destination(&to)?,
                keys: place.catalog.keys().clone(),
                verify: place.verify,
            };
            fetched(order, &to).await
        }
    }
}

/// Long work, which Ctrl-C ends; what was copied by then is used by the next run.
async fn blocking(
    place: Place,
    work: impl FnOnce(Place) -> anyhow::Result<()> + Send + 'static,
) -> anyhow::Result<()> {
    tokio::select! {
        ended = tokio::task::spawn_blocking(move || work(place)) => ended?,
        interrupted = tokio::signal::ctrl_c() => interrupt(interrupted),
    }
}

fn interrupt(interrupted: io::Result<()>) -> ! {
    // The thread that works can't be told to stop; the process can.
    match interrupted {
        Ok(()) => eprintln!("rackberry: interrupted; run it again to go on where it was"),
        Err(error) => eprintln!("rackberry: {error}"),
    }
    std::process::exit(1)
}

/// Where operating systems lie, and by which rules.
struct Place {
    catalog: Catalog,
    dirs: Vec<PathBuf>,
    loaders: PathBuf,
    verify: Verify,
}

/// As configuration files say, or the service that runs, or else by default.
async fn place(socket: &Path, files: &[PathBuf]) -> anyhow::Result<Place> {
    let (dirs, loaders, verify) = match control::assets(socket).await {
        Ok(AssetsView { dirs, loaders, must_be_authentic, .. }) if files.is_empty() => {
            (dirs, loaders, if must_be_authentic { Verify::Required } else { Verify::UnsignedOk })
        }
        _ => {
            let Settings { assets, .. } = configuration::load(files)?;
            (assets.dirs, assets.loaders, assets.verify)
        }
    };
    let catalog = scan::scan(&dirs, &loaders, None);
    Ok(Place { catalog, dirs, loaders, verify })
}

impl Place {
    /// The folder that was named, or the last asset folder that can be written: on a Pi, the one on the card.
    fn destination(&self, to: &CopyTarget) -> anyhow::Result<PathBuf> {
        if let Some(folder) = &to.to {
            ensure!(self.dirs.contains(folder), "{} is none of assets.dirs", folder.display());
            return Ok(folder.clone());
        }
        let is_writable =
            |dir: &&PathBuf| rustix::fs::access(dir.as_path(), rustix::fs::Access::WRITE_OK).is_ok();
        self.dirs.iter().rfind(is_writable).cloned().with_context(|| {
            let dirs: Vec<String> = self.dirs.iter().map(|dir| dir.display().to_string()).collect();
            format!(
                "no asset folder can be written ({}); make one, or run this as its owner",
                dirs.join(", ")
            )
        })
    }
}

async fn list(socket: &Path, output: OutputFormat) -> anyhow::Result<()> {
    if output.json {
        return control::print(socket, "/api/v1/assets").await;
    }
    let assets = control::assets(socket).await?;
    print!("{}", view::assets(&assets, Paint::on(&io::stdout())));
    Ok(())
}

/// Reads every file, whatever was found before.
fn verify(place: &Place) -> anyhow::Result<()> {
    let (jobs, mut faults) = (place.catalog.unexamined(), 0);
    for fault in place.catalog.faults() {
        println!("{fault}");
        faults += 1;
    }
    for job in &jobs {
        let bar = WorkBar::of_bytes("verifying", &job.file.path, job.file.len);
        let finding = verify::examine(job, place.catalog.keys(), |bytes| bar.more(bytes.len() as u64));
        drop(bar);
        let words = match finding.map(|finding| finding.verdict) {
            Ok(FileVerdict::Good(good)) => format!("authentic, {good}"),
            bad => {
                faults += 1;
                match bad {
                    Ok(FileVerdict::Bad(reason)) => format!("NOT AUTHENTIC: {reason}"),
                    Ok(FileVerdict::Unproven(reason)) => format!("nobody known vouches for it: {reason}"),
                    Ok(_) => "nobody has signed it".into(),
                    Err(error) => format!("can't be read: {error}"),
                }
            }
        };
        println!("{}: {words}", job.file.path.display());
    }
    ensure!(!jobs.is_empty(), "there is no complete version to verify");
    ensure!(faults == 0, "{faults} of them can't be trusted");
    Ok(())
}

/// What comes along with versions; keys come before them.
const OTHERS: [&str; 5] = ["cloud-configs", "profiles", "pxelinux.cfg", "loaders", "files"];

fn import(path: &Path, to: &CopyTarget, place: &Place) -> anyhow::Result<()> {
    ensure!(path.is_dir(), "{} is no folder", path.display());
    let target = place.destination(to)?;
    // A disk has its set in rackberry/, or at its top as in 2016.
    let from = scan::scan(&[path.join("rackberry"), path.to_owned()], &place.loaders, None);
    for fault in from.faults() {
        println!("{fault}");
    }
    let bars = Bars::default();
    import_others(&from.below(&["keys"]), &target, &bars)?;
    // Those that came with the disk count for what is on it, as they do where it is served.
    let keys = scan::scan(&place.dirs, &place.loaders, Some(&place.catalog)).keys().clone();
    let rules = Rules { to: &target, keys: &keys, verify: place.verify };
    let (mut brought, mut failed) = (0, 0);
    for version in from.versions() {
        match import_version(version, rules, &bars) {
            Some(true) => brought += 1,
            Some(false) => {
                failed += 1;
                continue;
            }
            None => continue,
        }
        // Of several versions the disk says which one.
        let profile = &version.profile.name;
        let current = from.ready(profile, "current").unwrap_or(version);
        if current.name == version.name {
            say_current(&target, profile, &version.name, to.before())?;
        }
    }
    for top in OTHERS {
        import_others(&from.below(&[top]), &target, &bars)?;
    }
    import_others(&from.menu_files(), &target, &bars)?;
    ensure!(failed == 0, "{failed} versions were not imported");
    if brought == 0 {
        bail!("there is no complete version in {}", path.display());
    }
    Ok(())
}

/// Whether a version is here now; nothing where it is not complete.
fn import_version(version: &Version, rules: Rules<'_>, bars: &Bars) -> Option<bool> {
    let name = format!("{} {}", version.profile.name, version.name);
    if version.sets.iter().all(|set| !set.is_complete()) {
        let missing: Vec<String> = version.sets.iter().flat_map(|set| set.missing.clone()).collect();
        match version.sets.first() {
            Some(set) if missing.is_empty() => println!("left out: {}", NotReady::incomplete(version, set)),
            _ => println!("{name}: incomplete, left out: {} not there", missing.join(", ")),
        }
        return None;
    }
    match import::version(version, rules, bars) {
        Ok(Imported { folder, was_there, left_out }) => {
            let folder = folder.display();
            match was_there {
                true => println!("{name}: was in {folder} already, byte for byte"),
                false => println!("{name}: is in {folder} now"),
            }
            left_out.iter().for_each(|words| println!("{words}"));
            Some(true)
        }
        Err(error) => {
            println!("{name}: {:#}", anyhow::Error::from(error));
            Some(false)
        }
    }
}

fn import_others(files: &[&Found], target: &Path, bars: &Bars) -> anyhow::Result<()> {
    let there = scan::scan(&[target.to_owned()], Path::new(""), None);
    for other in import::others(files, &there, bars)? {
        match other {
            OtherFile::Copied(name) => println!("{name}: is in {} now", target.display()),
            OtherFile::Kept(name) => println!("{name}: is there and differs; it was left as it is"),
        }
    }
    Ok(())
}

fn say_current(target: &Path, profile: &str, version: &str, before: Current) -> anyhow::Result<()> {
    if import::set_current(target, profile, version, before)? {
        println!("{profile}/current is {version} now");
    }
    Ok(())
}

async fn fetched(order: mirror::MirrorRequest, to: &CopyTarget) -> anyhow::Result<()> {
    let (profile, target) = (order.profile.name.clone(), order.to.clone());
    tokio::select! {
        ended = mirror::fetch(order) => {
            let (version, folder) = ended?;
            println!("{profile} {version}: is in {} now", folder.display());
            say_current(&target, &profile, &version, to.before())
        }
        interrupted = tokio::signal::ctrl_c() => interrupt(interrupted),
    }
}
