//! The same paper, the same bytes.

use sha2::{Digest, Sha256};

use super::receipt;
use crate::{Block, render};

/// The digest of the file of [`receipt`].
///
/// Whoever stores digests of papers relies on it, so it does not change without a reason. Reasons are
/// a change of this crate's layout, and a new version of krilla, rustybuzz, qrcode, flate2, zlib-rs or
/// of what they use. Then look at a file of before and one of after (`pdftoppm`, `qpdf --check`), write
/// the new digest here, and say in the change log that papers that are rendered again after the
/// update differ in their bytes from those rendered before it. A change without such a reason is a
/// fault: something is read that is not in the paper.
const DIGEST: &str = "380deca9d9f73d01636426a12817b83983b021946555836e2c4492001ed81be4";

#[test]
fn a_paper_is_rendered_to_the_same_bytes() {
    assert_eq!(render(&receipt()).unwrap(), render(&receipt()).unwrap());
}

#[test]
fn a_paper_is_rendered_to_the_same_bytes_in_every_thread() {
    let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(|| render(&receipt()).unwrap())).collect();
    let files: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert!(files.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn a_paper_is_rendered_to_the_same_bytes_on_every_machine() {
    let digest = Sha256::digest(render(&receipt()).unwrap());
    assert_eq!(digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>(), DIGEST);
}

#[test]
fn papers_that_differ_have_other_identities() {
    let mut papers = vec![receipt(); 7];
    papers[1].at = "2027-03-28T10:15:31Z".parse().unwrap();
    papers[2].title.push('.');
    papers[3].language = kernel::Lang::De;
    papers[4].blocks.push(Block::List(Vec::new()));
    // The same characters, divided otherwise.
    papers[5].blocks = vec![Block::List(vec!["ab".into(), "c".into()])];
    papers[6].blocks = vec![Block::List(vec!["a".into(), "bc".into()])];
    for (at, paper) in papers.iter().enumerate() {
        assert!(papers.iter().skip(at + 1).all(|other| other.identity() != paper.identity()), "{at}");
    }
    assert_eq!(papers[0].identity(), receipt().identity());
}

#[test]
fn a_paper_shows_nobody_in_a_log() {
    assert_eq!(format!("{:?}", receipt()), "Paper(***)");
    assert_eq!(format!("{:?}", receipt().blocks[0]), "Block(***)");
}
