//! The binary `sportello`: configuration, command line, wiring, and the contract put together.
//!
//! A library so that the tests can ask it for its contract and run it as a process; the program is
//! [`cli::run`] and nothing else.

mod app;
pub mod cli;
pub mod config;
pub mod demo;
mod doctor;
mod holdings;
mod jobs;
pub mod logging;
mod metrics;
mod middleware;
pub mod openapi;
mod pages;
pub mod service;
mod status;
mod telemetry;
mod terminal;
