//! Curves of throughput, as a picture: against outstanding calls on one connection, and against clients.
//!
//! Knows: points, axes, SVG. Does not know: how a point is measured.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use crate::compare;
use crate::measure::median;
use crate::ours::Failure;
use crate::workload::Workload;

/// Calls outstanding on one connection.
const OUTSTANDING: &[usize] = &[1, 4, 16, 64, 256, 1_024];
/// Clients, each with so many callers.
const CLIENTS: &[usize] = &[1, 10, 100, 1_000];
const CALLERS: usize = 8;
/// Who is drawn, and in which colour.
const SIDES: &[(&str, &str)] = &[("ours-tcp", "#1f6feb"), ("raw-tcp-mux", "#8b949e")];

const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 260.0;
const MARGIN: f64 = 56.0;

/// One curve: calls per second at each of the panel's points.
struct Curve {
    who: &'static str,
    colour: &'static str,
    rates: Vec<f64>,
}

struct Panel {
    title: &'static str,
    points: &'static [usize],
    curves: Vec<Curve>,
}

/// Measures both panels, tells of each point, and writes the picture.
pub(crate) fn draw(file: &Path, time: Duration, rounds: usize, mut tell: impl FnMut(String)) -> Result<(), Failure> {
    let outstanding = |count| Workload::Tasks(count);
    let clients = |clients| Workload::Clients { clients, callers: CALLERS };
    let panels = [
        measured("calls outstanding, one connection", OUTSTANDING, outstanding, time, rounds, &mut tell)?,
        measured("clients, 8 calls outstanding each", CLIENTS, clients, time, rounds, &mut tell)?,
    ];
    std::fs::write(file, picture(&panels))?;
    Ok(())
}

fn measured(
    title: &'static str,
    points: &'static [usize],
    workload: impl Fn(usize) -> Workload,
    time: Duration,
    rounds: usize,
    tell: &mut impl FnMut(String),
) -> Result<Panel, Failure> {
    let mut curves: Vec<Curve> = SIDES.iter().map(|(who, colour)| Curve { who, colour, rates: Vec::new() }).collect();
    for point in points {
        let mut rates = vec![Vec::new(); SIDES.len()];
        for _ in 0..rounds {
            for ((who, _), rates) in SIDES.iter().zip(&mut rates) {
                rates.push(compare::measure_here(who, workload(*point), time)?.calls_per_second);
            }
        }
        for (curve, rates) in curves.iter_mut().zip(rates) {
            curve.rates.push(median(rates));
        }
        let of_point: Vec<String> =
            curves.iter().map(|curve| format!("{} {:.0}/s", curve.who, curve.rates.last().unwrap_or(&0.0))).collect();
        tell(format!("{title}: {point:>5}  {}", of_point.join("  ")));
    }
    Ok(Panel { title, points, curves })
}

fn picture(panels: &[Panel]) -> String {
    let (width, height) = (WIDTH * panels.len() as f64, HEIGHT);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n"
    );
    for (number, panel) in panels.iter().enumerate() {
        // Writing to a String cannot fail.
        let _ = writeln!(svg, "<g transform=\"translate({} 0)\">", WIDTH * number as f64);
        draw_panel(panel, &mut svg);
        svg.push_str("</g>\n");
    }
    svg.push_str("</svg>\n");
    svg
}

fn draw_panel(panel: &Panel, svg: &mut String) {
    let top = panel.curves.iter().flat_map(|curve| &curve.rates).copied().fold(1.0, f64::max);
    let steps = panel.points.len().saturating_sub(1).max(1) as f64;
    let x = |index: usize| MARGIN + (WIDTH - 1.5 * MARGIN) * index as f64 / steps;
    let y = |rate: f64| HEIGHT - MARGIN + (1.5 * MARGIN - HEIGHT) * rate / top;
    let _ = writeln!(
        svg,
        "<text x=\"{MARGIN}\" y=\"16\" font-weight=\"bold\">thousand calls per second against {}</text>",
        panel.title
    );
    for quarter in 0..=4_u8 {
        let rate = top * f64::from(quarter) / 4.0;
        let (at, right) = (y(rate), WIDTH - MARGIN / 2.0);
        let _ = writeln!(svg, "<path d=\"M{MARGIN} {at:.1}H{right}\" stroke=\"#d0d7de\"/>");
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{:.0}</text>",
            MARGIN - 6.0,
            at + 4.0,
            rate / 1e3
        );
    }
    for (index, point) in panel.points.iter().enumerate() {
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{point}</text>",
            x(index),
            HEIGHT - MARGIN + 18.0
        );
    }
    for (number, Curve { who, colour, rates }) in panel.curves.iter().enumerate() {
        let points: Vec<String> =
            rates.iter().enumerate().map(|(index, rate)| format!("{:.1},{:.1}", x(index), y(*rate))).collect();
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            points.join(" ")
        );
        let at = HEIGHT - 14.0;
        let _ =
            writeln!(svg, "<text x=\"{}\" y=\"{at}\" fill=\"{colour}\">{who}</text>", MARGIN + 110.0 * number as f64);
    }
}
