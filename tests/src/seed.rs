//! The demo's Comune, invented once per test process and copied for each server.

use std::{fs, path::Path, sync::OnceLock};

use tempfile::TempDir;

use crate::{
    Backend, Server, Setup,
    postgres::{Cluster, Durability},
    server::{LOG, new_database, new_folder, sqlite_url},
};

/// A demo's data.
#[derive(Debug)]
pub(crate) struct Seed {
    folder: TempDir,
    backend: Backend,
    database: String,
}

impl Seed {
    pub(crate) fn get(backend: Backend) -> &'static Self {
        static SQLITE: OnceLock<Option<Seed>> = OnceLock::new();
        static POSTGRES: OnceLock<Option<Seed>> = OnceLock::new();
        let cell = match backend {
            Backend::Sqlite => &SQLITE,
            Backend::Postgres => &POSTGRES,
        };
        // A failure is kept, so that it is told in full once and the other tests need not wait for it.
        let seed = cell.get_or_init(|| std::panic::catch_unwind(|| Self::make(backend)).ok());
        seed.as_ref().expect("the demo could not be seeded; the first test that needed it says why")
    }

    fn make(backend: Backend) -> Self {
        let folder = new_folder();
        let database = new_database(backend, folder.path(), Durability::Fast);
        let mut server = Server::demo_in(folder, backend, database, &Setup::new(|_| ()));
        server.launch();
        let status = server.sigterm();
        assert!(status.success(), "the demo does not end well on SIGTERM ({status}):\n{}", server.log());
        let (folder, database) = server.into_data();
        Self { folder, backend, database }
    }

    /// Copies the data: the URL of the copy.
    pub(crate) fn copy_to(&self, folder: &Path) -> String {
        copy_folder(self.folder.path(), folder).expect("a copy of the seed");
        fs::remove_file(folder.join(LOG)).expect("the seed's log");
        match self.backend {
            Backend::Sqlite => sqlite_url(folder),
            Backend::Postgres => Cluster::get(Durability::Fast).copy_of_database(&self.database),
        }
    }
}

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let copy = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            fs::create_dir(&copy)?;
            copy_folder(&entry.path(), &copy)?;
        } else {
            fs::copy(entry.path(), copy)?;
        }
    }
    Ok(())
}
