//! Whole labs, up, up again and down.

mod superheroes;
