//! A catalog whose files are as if their makers' signatures had been read.

use std::sync::Arc;

use rackberry_core::assets::{
    authentic::{FileVerdict, Finding, Job},
    catalog::Catalog,
};
use release_signature::{Fingerprint, Good, Timestamp};

/// Every file is authentic.
pub fn all_good(catalog: &Catalog) -> Catalog {
    let good = |job: &Job| {
        let key: Fingerprint = job.profile.fingerprints.first()?.parse().ok()?;
        Some(Good {
            primary: key.clone(),
            key,
            user_id: "its maker".into(),
            made: Timestamp(1_462_060_800),
            key_expires: None,
            key_retired: None,
            signature_expires: None,
        })
    };
    let findings = catalog.unexamined().into_iter().filter_map(|job| {
        let finding = Finding { verdict: FileVerdict::Good(good(&job)?), sha256: None };
        Some((job.subject, finding))
    });
    catalog.with_findings(Arc::new(findings.collect()))
}
