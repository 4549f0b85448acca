//! Keys and signatures that GnuPG does not make.
