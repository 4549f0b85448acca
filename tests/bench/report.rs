//! Figures, as a table and as JSON.

use std::{collections::BTreeSet, path::Path};

use serde_json::json;

/// What one server did in all rounds of one work.
#[derive(Clone)]
pub struct Figure {
    pub work: String,
    /// The smaller the better, if it begins with a unit of time.
    pub unit: &'static str,
    pub server: String,
    pub rounds: Vec<f64>,
}

impl Figure {
    pub fn median(&self) -> f64 {
        let mut rounds = self.rounds.clone();
        rounds.sort_by(f64::total_cmp);
        match rounds.len() {
            0 => f64::NAN,
            n if n % 2 == 1 => rounds[n / 2],
            n => f64::midpoint(rounds[n / 2 - 1], rounds[n / 2]),
        }
    }
}

/// Adds a round's value.
pub fn add(figures: &mut Vec<Figure>, work: &str, unit: &'static str, server: &str, value: f64) {
    let is_it = |figure: &&mut Figure| (figure.unit, &*figure.work, &*figure.server) == (unit, work, server);
    match figures.iter_mut().find(is_it) {
        Some(figure) => figure.rounds.push(value),
        None => figures.push(Figure { work: work.into(), unit, server: server.into(), rounds: vec![value] }),
    }
}

/// Medians, a line for each work and unit.
pub fn table(figures: &[Figure]) {
    let mut servers: Vec<&str> = Vec::new();
    for figure in figures {
        if !servers.contains(&figure.server.as_str()) {
            servers.push(&figure.server);
        }
    }
    println!("| work | unit | {} |\n|---|---|{}", servers.join(" | "), "---|".repeat(servers.len()));
    let mut done = BTreeSet::new();
    for figure in figures {
        if !done.insert((&figure.work, figure.unit)) {
            continue;
        }
        let medians: Vec<String> = servers
            .iter()
            .map(|server| {
                let of = |other: &&Figure| {
                    (&other.work, other.unit, other.server.as_str()) == (&figure.work, figure.unit, *server)
                };
                figures.iter().find(of).map_or_else(String::new, |figure| format!("{:.3}", figure.median()))
            })
            .collect();
        println!("| {} | {} | {} |", figure.work, figure.unit, medians.join(" | "));
    }
}

/// All rounds.
pub fn json(figures: &[Figure], path: &Path) {
    let all: Vec<_> = figures
        .iter()
        .map(|figure| {
            json!({
                "work": figure.work, "unit": figure.unit, "server": figure.server,
                "median": figure.median(), "rounds": figure.rounds,
            })
        })
        .collect();
    std::fs::write(path, format!("{:#}\n", json!(all))).expect("written");
    println!("All rounds are in {}.", path.display());
}
