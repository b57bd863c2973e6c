//! Whole labs, up, up again and down.

mod readme;
mod superheroes;
