//! The figures: for the terminal, for programs and for the documentation.

use std::{fmt::Write, fs, path::Path};

use plotters::prelude::*;
use serde::Serialize;

use crate::{client::Outcome, round::Plan};

/// What one question came to at one server, over all rounds.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Figure {
    /// The server.
    pub(crate) subject: String,
    /// The question.
    pub(crate) question: &'static str,
    /// Answers a second, round by round.
    pub(crate) rates: Vec<f64>,
    /// Half of the answers took no longer, in milliseconds.
    pub(crate) p50_ms: f64,
    /// Ninety-nine of a hundred took no longer, in milliseconds.
    pub(crate) p99_ms: f64,
    /// How many answers there were.
    pub(crate) answers: usize,
    #[serde(skip)]
    micros: Vec<u32>,
}

impl Figure {
    /// Adds a round.
    pub(crate) fn add(figures: &mut Vec<Self>, subject: &str, question: &'static str, outcome: Outcome) {
        let rate = outcome.rate();
        let place = figures.iter().position(|figure| figure.subject == subject && figure.question == question);
        let place = place.unwrap_or_else(|| {
            let subject = subject.to_owned();
            figures.push(Self {
                subject,
                question,
                rates: vec![],
                p50_ms: 0.0,
                p99_ms: 0.0,
                answers: 0,
                micros: vec![],
            });
            figures.len() - 1
        });
        let figure = &mut figures[place];
        figure.rates.push(rate);
        figure.micros.extend(outcome.micros);
        figure.micros.sort_unstable();
        figure.answers = figure.micros.len();
        let percentile = |percent: usize| {
            let place = figure.micros.len().saturating_sub(1) * percent / 100;
            figure.micros.get(place).map_or(0.0, |micros| f64::from(*micros) / 1000.0)
        };
        (figure.p50_ms, figure.p99_ms) = (percentile(50), percentile(99));
    }

    fn rate(&self) -> f64 {
        median(self.rates.clone())
    }

    /// This rate as a share of another one, round by round: what the machine did else fell on both.
    fn share_of(&self, other: &Self) -> f64 {
        median(self.rates.iter().zip(&other.rates).map(|(mine, theirs)| mine / theirs).collect())
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[n / 2],
        n => f64::midpoint(values[n / 2 - 1], values[n / 2]),
    }
}

/// A rate beside another.
#[derive(Debug, Clone, Serialize)]
struct Ratio {
    subject: String,
    question: &'static str,
    /// What it is compared with: another question to the same server, or the same question to the small one.
    beside: String,
    /// The median of the rounds.
    share: f64,
}

/// Everything that was measured.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Report {
    rounds: usize,
    seconds: f64,
    clients: usize,
    /// Processors of the machine, shared by the callers, the server and the database.
    processors: usize,
    /// Rows of occupancy by server.
    occupancy: Vec<(String, usize)>,
    figures: Vec<Figure>,
    ratios: Vec<Ratio>,
}

impl Report {
    pub(crate) fn new(
        plan: &Plan,
        figures: Vec<Figure>,
        beside: &[(&'static str, &'static str)],
        occupancy: Vec<(String, usize)>,
    ) -> Self {
        let find = |subject: &str, question: &str| {
            figures.iter().find(|figure| figure.subject == subject && figure.question == question)
        };
        let mut ratios = Vec::new();
        for figure in &figures {
            let mut push = |other: Option<&Figure>, beside: &str| {
                ratios.extend(
                    other.filter(|other| other.subject != figure.subject || other.question != figure.question).map(
                        |other| Ratio {
                            subject: figure.subject.clone(),
                            question: figure.question,
                            beside: beside.to_owned(),
                            share: figure.share_of(other),
                        },
                    ),
                );
            };
            if let Some((_, other)) = beside.iter().find(|(question, _)| *question == figure.question) {
                push(find(&figure.subject, other), other);
            }
            // The first server of each database is the small one.
            let backend = figure.subject.split(',').next().unwrap_or_default();
            let small =
                figures.iter().find(|other| other.subject.starts_with(backend) && other.question == figure.question);
            push(small, &small.map_or_else(String::new, |small| small.subject.clone()));
        }
        let processors = std::thread::available_parallelism().map_or(0, usize::from);
        Self {
            rounds: plan.rounds,
            seconds: plan.seconds,
            clients: plan.clients,
            processors,
            occupancy,
            figures,
            ratios,
        }
    }

    /// Markdown, which a terminal shows as well.
    pub(crate) fn table(&self) -> String {
        let mut text = String::new();
        let mut row = |cells: [&str; 5]| {
            let widths = [30, 30, 10, 9, 9];
            let line: Vec<String> = cells
                .iter()
                .zip(widths)
                .zip(0..)
                .map(
                    |((cell, width), place)| {
                        if place < 2 { format!("{cell:width$}") } else { format!("{cell:>width$}") }
                    },
                )
                .collect();
            writeln!(text, "| {} |", line.join(" | ")).expect("text");
        };
        row(["server, appointments", "question", "answers/s", "p50 ms", "p99 ms"]);
        row(["---", "---", "---:", "---:", "---:"]);
        for figure in &self.figures {
            row([
                &figure.subject,
                figure.question,
                &format!("{:.0}", figure.rate()),
                &format!("{:.1}", figure.p50_ms),
                &format!("{:.1}", figure.p99_ms),
            ]);
        }
        text.push('\n');
        writeln!(text, "| {:30} | {:30} | {:22} | {:>6} |", "server, appointments", "question", "beside", "ratio")
            .expect("text");
        writeln!(text, "| {:30} | {:30} | {:22} | {:>6} |", "---", "---", "---", "---:").expect("text");
        for ratio in &self.ratios {
            writeln!(
                text,
                "| {:30} | {:30} | {:22} | {:>6.2} |",
                ratio.subject, ratio.question, ratio.beside, ratio.share
            )
            .expect("text");
        }
        text
    }

    /// Writes the data and the plot, and the table into the documentation when asked to.
    pub(crate) fn write(&self, output: &Path, docs: bool) {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the workspace");
        let data = serde_json::to_string_pretty(self).expect("JSON");
        let mut folders = vec![workspace.join(output)];
        if docs {
            folders.push(workspace.join("docs/performance"));
            let page = workspace.join("docs/performance.md");
            let text = fs::read_to_string(&page).expect("docs/performance.md");
            fs::write(&page, self.within(&text)).expect("docs/performance.md");
        }
        for folder in folders {
            fs::create_dir_all(&folder).expect("a folder for the figures");
            fs::write(folder.join("figures.json"), format!("{data}\n")).expect("the figures");
            self.plot(&folder.join("rates.svg")).expect("the plot");
            eprintln!("written to {}", folder.display());
        }
    }

    /// The page with these figures in the place of those before.
    fn within(&self, page: &str) -> String {
        let (begin, end) = ("<!-- figures -->\n", "<!-- end of figures -->");
        let (before, rest) = page.split_once(begin).expect("a place for the figures");
        let (_, after) = rest.split_once(end).expect("the end of the figures");
        let intro = format!(
            "{} rounds of {} s for each figure, {} clients, {} processors for clients, server and database together.\n\n",
            self.rounds, self.seconds, self.clients, self.processors
        );
        format!("{before}{begin}{intro}{}{end}{after}", self.table())
    }

    /// Bars: the rate of each question, by server.
    fn plot(&self, path: &Path) -> Result<(), Box<dyn std::error::Error>> {
        const COLOURS: [RGBColor; 5] = [
            RGBColor(130, 170, 220),
            RGBColor(30, 80, 160),
            RGBColor(120, 120, 120),
            RGBColor(240, 170, 110),
            RGBColor(190, 90, 20),
        ];
        let mut subjects: Vec<&str> = Vec::new();
        let mut questions: Vec<&str> = Vec::new();
        for figure in &self.figures {
            if !subjects.contains(&figure.subject.as_str()) {
                subjects.push(&figure.subject);
            }
            if !questions.contains(&figure.question) {
                questions.push(figure.question);
            }
        }
        let bars = (subjects.len() + 1) as f64;
        let highest = self.figures.iter().map(Figure::rate).fold(10.0, f64::max);
        let root = SVGBackend::new(path, (1100, 520)).into_drawing_area();
        root.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&root)
            .caption("Answers a second", ("sans-serif", 22))
            .margin(12)
            .x_label_area_size(36)
            .y_label_area_size(70)
            .build_cartesian_2d(0.0..questions.len() as f64 * bars, (10.0..highest * 1.4).log_scale())?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_labels(0)
            .y_desc("logarithmic")
            .y_label_formatter(&|rate| format!("{rate:.0}"))
            .draw()?;
        for (place, subject) in subjects.iter().enumerate() {
            let colour = COLOURS[place % COLOURS.len()];
            let of_subject = self.figures.iter().filter(|figure| figure.subject == *subject);
            chart
                .draw_series(of_subject.map(|figure| {
                    let group = questions.iter().position(|question| *question == figure.question).unwrap_or(0);
                    let left = group as f64 * bars + place as f64 + 0.5;
                    Rectangle::new([(left, 10.0), (left + 0.9, figure.rate().max(10.0))], colour.filled())
                }))?
                .label(*subject)
                .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 12, y + 5)], colour.filled()));
        }
        chart.configure_series_labels().background_style(WHITE.mix(0.8)).border_style(BLACK).draw()?;
        let area = chart.plotting_area();
        for (group, question) in questions.iter().enumerate() {
            let (x, y) = area.map_coordinate(&((group as f64 + 0.5) * bars, 10.0));
            let style = ("sans-serif", 13).into_font().color(&BLACK).pos(plotters::style::text_anchor::Pos::new(
                plotters::style::text_anchor::HPos::Center,
                plotters::style::text_anchor::VPos::Top,
            ));
            root.draw(&Text::new((*question).to_owned(), (x, y + 8), style))?;
        }
        root.present()?;
        Ok(())
    }
}
