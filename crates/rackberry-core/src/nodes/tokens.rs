//! What names grants in URLs.

use sha2::{Digest as _, Sha256};

use crate::ids::Mac;

/// Makes tokens that nobody can guess and that never come twice.
#[derive(Clone)]
pub struct Tokens {
    secret: [u8; 32],
    made: u64,
}

impl Tokens {
    /// From a random secret, new at each start.
    pub fn new(secret: [u8; 32]) -> Tokens {
        Tokens { secret, made: 0 }
    }

    /// The next one: 16 bytes as hexadecimal digits.
    pub fn next(&mut self, mac: Mac) -> String {
        self.made += 1;
        let digest = Sha256::new()
            .chain_update(self.secret)
            .chain_update(mac.0)
            .chain_update(self.made.to_be_bytes())
            .finalize();
        digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_differ() {
        let (mut one, mut other) = (Tokens::new([1; 32]), Tokens::new([2; 32]));
        let mac = Mac([2, 0, 0, 0, 0, 1]);
        let made = [one.next(mac), one.next(mac), other.next(mac)];
        assert!(made.iter().all(|token| token.len() == 32));
        assert!(made[0] != made[1] && made[0] != made[2]);
    }
}
