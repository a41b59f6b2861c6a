//! The command that takes in members of another application, a batch at a time.

use super::accounts::{read_email, read_full_name, read_group};
use super::protocol::{Failure, MemberRecord, Reply};
use super::{Control, read_name};
use crate::auth::import::{Admission, ImportedMember, Mode};

impl Control {
    pub(super) async fn import(
        &self,
        from: &str,
        members: Vec<MemberRecord>,
        mode: Mode,
    ) -> Result<Reply, Failure> {
        if members.len() > Admission::BATCH {
            return Err(Failure::Data(format!("at most {} members at a time", Admission::BATCH)));
        }
        let members = members.into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
        if mode == Mode::Write {
            members.iter().for_each(|member| self.accounts.expect(member.password.as_deref()));
        }
        Ok(Reply::Imported(self.admission.admit(from, &members, mode).await?))
    }
}

fn read(record: MemberRecord) -> Result<ImportedMember, Failure> {
    Ok(ImportedMember {
        name: read_name(&record.name)?,
        full_name: record.full_name.as_deref().map(read_full_name).transpose()?,
        email: record.email.as_deref().map(read_email).transpose()?,
        groups: record.groups.iter().map(|text| read_group(text)).collect::<Result<_, _>>()?,
        state: record.state,
        password: record.password.map(|hash| hash.expose().clone()),
    })
}
