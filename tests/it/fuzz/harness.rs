//! A small mutating fuzzer: deterministic, without instrumentation.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

/// Seconds for each target, instead of its number of cases.
const SECONDS: &str = "OPENCLAW_FUZZ_SECONDS";
/// The number that a failure has printed: that one case is run.
const SEED: &str = "OPENCLAW_FUZZ_SEED";
/// Inputs do not grow beyond this.
const LONGEST: usize = 64 * 1024;

/// The files that inputs are made from.
pub(crate) struct Corpus {
    files: Vec<(String, Vec<u8>)>,
}

impl Corpus {
    /// All files of `tests/corpus/<folder>`, by name.
    pub(crate) fn load(folder: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(folder);
        let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut files: Vec<(String, Vec<u8>)> = entries
            .map(|entry| {
                let path = entry.expect("an entry").path();
                let name = path.file_name().expect("a name").to_string_lossy().into_owned();
                (name, std::fs::read(&path).expect("a seed"))
            })
            .collect();
        files.sort();
        assert!(!files.is_empty(), "{} has no seeds", folder.display());
        Self { files }
    }

    /// Name and content of each file.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files.iter().map(|(name, content)| (name.as_str(), content.as_slice()))
    }
}

/// Pseudo-random numbers (xorshift64*), the same on every machine.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        // Neighbouring seeds must not give neighbouring numbers, and 0 would give nothing else.
        let mixed = (seed ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        Self((mixed ^ (mixed >> 31)) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// `0..bound`; 0 when there is nothing to choose from.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() >> 32).expect("32 bits").checked_rem(bound).unwrap_or(0)
    }
}

/// One of the ways to break an input.
fn mutate(input: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    const BYTES: [u8; 12] = [0, 1, 2, 0x2e, 0x2f, 0x0a, 0x20, 0x5c, 0x7f, 0x80, 0xc3, 0xff];
    const NUMBERS: [u32; 10] = [0, 1, 2, 0xff, 0x100, 0x7fff, 0xffff, 0x10_0000, 0x7fff_ffff, u32::MAX];
    let at = random.below(input.len() + 1);
    let length = random.below(16) + 1;
    let end = (at + length).min(input.len());
    match random.below(9) {
        0 if at < input.len() => input[at] ^= 1 << random.below(8),
        1 if at < input.len() => input[at] = BYTES[random.below(BYTES.len())],
        2 => input.insert(at, BYTES[random.below(BYTES.len())]),
        3 => drop(input.drain(at..end)),
        4 => {
            let copy = input[at..end].to_vec();
            let to = random.below(input.len() + 1);
            input.splice(to..to, copy);
        }
        5 => {
            let number = NUMBERS[random.below(NUMBERS.len())].to_le_bytes();
            let width = [2, 4][random.below(2)].min(input.len() - at);
            input[at..at + width].copy_from_slice(&number[..width]);
        }
        6 => input.truncate(at),
        7 => {
            let from = random.below(other.len() + 1);
            let to = (from + random.below(64) + 1).min(other.len());
            input.splice(at..end, other[from..to].iter().copied());
        }
        _ => input.extend_from_slice(other),
    }
    input.truncate(LONGEST);
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable)
        .ok()
        .map(|text| text.parse().unwrap_or_else(|_| panic!("{variable} is not a number: {text}")))
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

/// Gives `check` each seed as it is, then `cases` broken ones. It fails the test with an `Err` or a panic; the message has the input as hex
/// and the number that runs this case alone.
pub(crate) fn fuzz(corpus: &Corpus, cases: u64, mut check: impl FnMut(&[u8]) -> Result<(), String>) {
    let mut run = |name: &str, input: &[u8]| {
        let outcome = catch_unwind(AssertUnwindSafe(|| check(input)))
            .unwrap_or_else(|panic| Err(format!("it panicked: {:?}", panic.downcast_ref::<String>())));
        if let Err(why) = outcome {
            panic!("{name}: {why}\ninput: {}", hex(input));
        }
    };
    for (name, content) in corpus.files() {
        run(name, content);
    }
    let limit = number(SECONDS).map(Duration::from_secs);
    let start = Instant::now();
    let mut seed = number(SEED).unwrap_or(1);
    let last = if number(SEED).is_some() { seed } else { cases };
    while limit.map_or(seed <= last, |limit| start.elapsed() < limit) {
        let mut random = Random::new(seed);
        let mut input = corpus.files[random.below(corpus.files.len())].1.clone();
        let other = &corpus.files[random.below(corpus.files.len())].1;
        for _ in 0..=random.below(4) {
            mutate(&mut input, other, &mut random);
        }
        run(&format!("{SEED}={seed}"), &input);
        seed += 1;
    }
}

#[test]
fn the_fuzzer_finds_what_is_there_to_find() {
    let corpus = Corpus { files: vec![("seed".to_owned(), b"some text".to_vec())] };
    let found = catch_unwind(AssertUnwindSafe(|| {
        fuzz(&corpus, 100_000, |input| if input.contains(&0xff) { Err("found".to_owned()) } else { Ok(()) });
    }));
    if std::env::var_os(SEED).is_none() {
        let message = *found.unwrap_err().downcast::<String>().unwrap();
        assert!(message.contains("OPENCLAW_FUZZ_SEED=") && message.contains("ff"), "{message}");
    }
    let mut inputs = std::collections::HashSet::new();
    fuzz(&corpus, 500, |input| {
        inputs.insert(input.to_vec());
        Ok(())
    });
    assert!(inputs.len() > 300 || std::env::var_os(SEED).is_some(), "only {} inputs differ", inputs.len());
}
