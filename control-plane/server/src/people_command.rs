//! `creto-control-plane people`: who may sign in to the dashboard. It works whether the control plane runs or not.

use std::fs::File;
use std::io::{BufRead as _, BufReader, IsTerminal as _, Read, Write as _};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use creto_dashboard::PASSWORD_BYTES;
use creto_dashboard::people::{PeopleDesk, PeopleError, Role};
use creto_oversight::Person;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::approvals::now;
use crate::data_folder::PEOPLE;

/// Who may sign in to the dashboard.
#[derive(Clone, Debug, Parser)]
#[command(name = "creto-control-plane people", version)]
pub struct PeopleCommand {
    #[command(subcommand)]
    step: Step,
}

#[derive(Clone, Debug, Subcommand)]
enum Step {
    /// Adds an account.
    Add {
        #[command(flatten)]
        who: Who,
        /// viewer looks; approver decides where policy names them; admin also hands on, cancels and takes back what others were
        /// asked.
        #[arg(long, default_value = "approver")]
        role: Role,
        #[command(flatten)]
        password: PasswordFrom,
    },
    /// Lists accounts.
    List(Place),
    /// Ends an account's sessions; nobody signs in with it until it is enabled.
    Disable(Who),
    /// Lets an account sign in again.
    Enable(Who),
    /// Gives an account another password; its sessions end.
    Password {
        #[command(flatten)]
        who: Who,
        #[command(flatten)]
        password: PasswordFrom,
    },
    /// Removes an account. What it decided stays.
    Remove(Who),
}

/// Where accounts are kept.
#[derive(Args, Clone, Debug)]
struct Place {
    /// Folder of the control plane.
    #[arg(long, env = "CRETO_DATA")]
    data: PathBuf,
    /// PostgreSQL, when the control plane keeps things there.
    #[arg(long, env = "CRETO_DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,
    /// Namespace whose requests they see.
    #[arg(long, default_value = "default")]
    namespace: String,
}

#[derive(Args, Clone, Debug)]
struct Who {
    #[command(flatten)]
    place: Place,
    /// The id that policy names them by, such as alice@example.com.
    name: Person,
}

#[derive(Args, Clone, Debug)]
struct PasswordFrom {
    /// File whose first line is the password; without, it is asked for or read from standard input.
    #[arg(long)]
    password_file: Option<PathBuf>,
}

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum PeopleCommandError {
    /// No folder of a control plane.
    #[error(
        "{0} is no folder: name the one that the control plane keeps its data in (--data), after its first start"
    )]
    NoFolder(PathBuf),
    /// The password cannot be read.
    #[error("the password cannot be read: {0}")]
    Password(std::io::Error),
    /// Nothing can be written.
    #[error("the accounts cannot be written out: {0}")]
    Write(std::io::Error),
    /// The accounts.
    #[error(transparent)]
    People(#[from] PeopleError),
}

impl PeopleCommand {
    /// The command, when the command line is one: its first word is `people`.
    #[must_use]
    pub fn asked() -> Option<Self> {
        let mut words = std::env::args_os();
        let program = words.next()?;
        (words.next()? == "people").then(|| Self::parse_from(std::iter::once(program).chain(words)))
    }

    /// Does it.
    ///
    /// # Errors
    /// [`PeopleCommandError`], which says what to do.
    pub async fn run(self) -> Result<(), PeopleCommandError> {
        match self.step {
            Step::Add { who, role, password } => {
                let people = who.place.open().await?;
                let password = password.read()?;
                people.add(&who.place.namespace, &who.name, role, &password, now()).await?;
                say(&format!("{} may sign in to namespace {} as {role}", who.name, who.place.namespace))
            }
            Step::Password { who, password } => {
                let people = who.place.open().await?;
                let password = password.read()?;
                people.set_password(&who.place.namespace, &who.name, &password, now()).await?;
                say(&format!("{} has another password; sessions ended", who.name))
            }
            Step::Disable(who) => {
                who.place.open().await?.disable(&who.place.namespace, &who.name, now()).await?;
                say(&format!("{} is disabled; sessions ended", who.name))
            }
            Step::Enable(who) => {
                who.place.open().await?.enable(&who.place.namespace, &who.name, now()).await?;
                say(&format!("{} may sign in again", who.name))
            }
            Step::Remove(who) => {
                who.place.open().await?.remove(&who.place.namespace, &who.name).await?;
                say(&format!("{} is removed", who.name))
            }
            Step::List(place) => {
                for account in place.open().await?.list(&place.namespace).await? {
                    let state = if account.disabled { "disabled" } else { "enabled" };
                    say(&format!("{}\t{}\t{state}", account.name, account.role))?;
                }
                Ok(())
            }
        }
    }
}

impl Place {
    async fn open(&self) -> Result<PeopleDesk, PeopleCommandError> {
        if let Some(url) = self.database_url.as_deref() {
            return Ok(PeopleDesk::postgres(url).await?);
        }
        // A folder that is mistyped is not made.
        if !self.data.is_dir() {
            return Err(PeopleCommandError::NoFolder(self.data.clone()));
        }
        Ok(PeopleDesk::sqlite(&self.data.join(PEOPLE)).await?)
    }
}

impl PasswordFrom {
    fn read(&self) -> Result<Zeroizing<String>, PeopleCommandError> {
        let read = match &self.password_file {
            Some(path) => File::open(path).and_then(first_line),
            None => asked(),
        };
        read.map_err(PeopleCommandError::Password)
    }
}

/// From standard input; a terminal shows nothing of it.
fn asked() -> std::io::Result<Zeroizing<String>> {
    let input = std::io::stdin();
    if !input.is_terminal() {
        return first_line(input);
    }
    let before = tcgetattr(&input)?;
    let mut quiet = before.clone();
    quiet.local_modes.remove(LocalModes::ECHO);
    let mut out = std::io::stderr();
    write!(out, "Password (not shown): ")?;
    tcsetattr(&input, OptionalActions::Flush, &quiet)?;
    let read = first_line(&input);
    tcsetattr(&input, OptionalActions::Flush, &before)?;
    writeln!(out)?;
    read
}

fn first_line(from: impl Read) -> std::io::Result<Zeroizing<String>> {
    // One byte more than fits is enough to be refused.
    let most = *PASSWORD_BYTES.end() as u64 + 2;
    let mut line = Zeroizing::new(String::with_capacity(PASSWORD_BYTES.end() + 3));
    BufReader::new(from.take(most)).read_line(&mut line)?;
    let length = line.trim_end_matches(['\n', '\r']).len();
    line.truncate(length);
    Ok(line)
}

fn say(text: &str) -> Result<(), PeopleCommandError> {
    writeln!(std::io::stdout(), "{text}").map_err(PeopleCommandError::Write)
}
