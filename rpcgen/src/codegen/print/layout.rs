//! Lines and indentation: which breaks of a text become ends of lines.
//!
//! Knows: groups, breaks, how wide a line may be. Does not know: Rust; `print` says where the groups and breaks are.
//!
//! A group that fits on the rest of its line has no ends of lines. In one that does not fit, all of its own breaks are ends of lines
//! (`Group::All`), or those behind which too much stands (`Group::Needed`). This is Oppen's algorithm as rustc and prettyplease have it,
//! without their window: an item is small enough to be kept whole, so sizes are known before anything is written.

/// How wide a line may be.
const MARGIN: isize = 89;
/// However deep a line stands, it may have this many characters.
const SPACE_MIN: isize = 60;
/// The width of what fits nowhere.
const INFINITE: i16 = i16::MAX;
/// One level.
pub(super) const INDENT: i16 = 4;

/// Which breaks of a group that does not fit are ends of lines.
#[derive(Clone, Copy)]
pub(super) enum Group {
    All,
    Needed,
}

/// What may stand at a break and nowhere else.
#[derive(Clone, Copy, Default)]
pub(super) enum Sign {
    #[default]
    None,
    Comma,
    Semicolon,
    Open,
    Close,
}

impl Sign {
    const fn text(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Comma => ",",
            Self::Semicolon => ";",
            Self::Open => "{",
            Self::Close => "}",
        }
    }
}

/// A place where a line may end. Small: a large package has hundreds of thousands of them.
#[derive(Clone, Copy, Default)]
pub(super) struct Break {
    /// Blanks where it does not.
    blanks: i16,
    /// What the next line is indented by, beyond its group.
    offset: i16,
    /// Stands at the end of the line that ends here.
    before: Sign,
    /// Stands at the begin of the next line.
    behind: Sign,
    /// Stands here where no line ends.
    unbroken: Sign,
    /// Is not there at the end of a group.
    inner: bool,
    never: bool,
}

impl Break {
    /// Nothing, or the end of a line.
    pub(super) const fn empty() -> Self {
        let (before, behind, unbroken) = (Sign::None, Sign::None, Sign::None);
        Self { blanks: 0, offset: 0, before, behind, unbroken, inner: false, never: false }
    }

    /// A blank, or the end of a line.
    pub(super) const fn blank() -> Self {
        Self { blanks: 1, ..Self::empty() }
    }

    /// Always the end of a line.
    pub(super) const fn line() -> Self {
        Self { blanks: INFINITE, ..Self::empty() }
    }

    /// Never the end of a line; what stands before it need not have room for what stands behind it.
    pub(super) const fn never() -> Self {
        Self { never: true, ..Self::empty() }
    }

    /// This break, unless it ends its group.
    pub(super) const fn if_inner(self) -> Self {
        Self { inner: true, ..self }
    }

    /// With a sign at the end of the line that ends here.
    pub(super) const fn before(self, before: Sign) -> Self {
        Self { before, ..self }
    }

    /// The end of what `before` has begun.
    pub(super) const fn closing(self, behind: Sign, unbroken: Sign) -> Self {
        Self { offset: -INDENT, behind, unbroken, ..self }
    }
}

/// A part of a text to be laid out.
#[derive(Clone, Copy)]
enum Part<'a> {
    Text(&'a str),
    Break(Break),
    Begin(i16, Group),
    End,
    /// The end of a group that is broken if it is wider than this.
    EndWithin(isize),
    /// May become the begin of a group, a break, or an end.
    Open,
}

/// A place that was left open.
#[derive(Clone, Copy)]
pub(super) struct Slot(usize);

/// Collects parts and writes them as lines.
pub(super) struct Layout<'a> {
    parts: Vec<Part<'a>>,
    sizes: Vec<isize>,
    out: String,
    /// Where the lines of the items begin that come now.
    indent: isize,
    space: isize,
    /// Blanks that stand before the next text; at the end of a line they are not written.
    pending: isize,
}

impl<'a> Layout<'a> {
    pub(super) fn new(capacity: usize) -> Self {
        let out = String::with_capacity(capacity);
        Self { parts: Vec::new(), sizes: Vec::new(), out, indent: 0, space: MARGIN, pending: 0 }
    }

    pub(super) fn finish(mut self) -> String {
        self.write();
        self.out
    }

    pub(super) fn text(&mut self, text: &'a str) {
        self.parts.push(Part::Text(text));
    }

    pub(super) fn add_break(&mut self, one: Break) {
        self.parts.push(Part::Break(one));
    }

    pub(super) fn begin(&mut self, offset: i16, group: Group) {
        self.parts.push(Part::Begin(offset, group));
    }

    /// Ends a group. One with nothing in it but a break is none.
    pub(super) fn end(&mut self) {
        if let [.., before, Part::Break(last)] = self.parts.as_slice() {
            if matches!(before, Part::Begin(..)) {
                self.parts.truncate(self.parts.len() - 2);
                return;
            }
            if last.inner {
                self.parts.pop();
            }
        }
        self.parts.push(Part::End);
    }

    /// Ends a group that is broken if it is wider than `width`.
    pub(super) fn end_within(&mut self, width: isize) {
        if let Some(Part::Break(Break { inner: true, .. })) = self.parts.last() {
            self.parts.pop();
        }
        self.parts.push(Part::EndWithin(width));
    }

    /// The line behind the last break stands one level to the left.
    pub(super) fn dedent(&mut self) {
        if let Some(Part::Break(last)) = self.parts.last_mut() {
            last.offset -= INDENT;
        }
    }

    /// A place for what is known only later.
    pub(super) fn open(&mut self) -> Slot {
        self.parts.push(Part::Open);
        Slot(self.parts.len() - 1)
    }

    pub(super) fn set_begin(&mut self, slot: Slot, offset: i16, group: Group) {
        self.set(slot, Part::Begin(offset, group));
    }

    pub(super) fn set_break(&mut self, slot: Slot, one: Break) {
        self.set(slot, Part::Break(one));
    }

    pub(super) fn set_end(&mut self, slot: Slot) {
        self.set(slot, Part::End);
    }

    fn set(&mut self, slot: Slot, part: Part<'a>) {
        if let Some(open) = self.parts.get_mut(slot.0) {
            *open = part;
        }
    }

    /// Writes what was collected, which must end with the end of a line; the next lines begin `levels` further to the right.
    pub(super) fn shift(&mut self, levels: isize) {
        self.write();
        self.indent += levels * isize::from(INDENT);
        self.pending = self.indent;
        self.space = SPACE_MIN.max(MARGIN - self.indent);
    }

    /// Writes what was collected.
    fn write(&mut self) {
        let (parts, mut sizes) = (std::mem::take(&mut self.parts), std::mem::take(&mut self.sizes));
        measure(&parts, &mut sizes);
        let mut frames: Vec<Frame> = Vec::new();
        let mut indent = self.indent;
        for (part, size) in parts.iter().zip(&sizes) {
            match *part {
                Part::Text(text) => {
                    self.push(text);
                    self.space -= width(text);
                }
                Part::Begin(offset, group) => {
                    let broken = *size > self.space;
                    frames.push(Frame { broken, outer_indent: indent, group });
                    indent += if broken { isize::from(offset) } else { 0 };
                }
                Part::End | Part::EndWithin(_) => indent = frames.pop().map_or(self.indent, |frame| frame.outer_indent),
                Part::Break(one) => {
                    let fits = match frames.last() {
                        Some(Frame { broken: false, .. }) => true,
                        Some(Frame { group: Group::Needed, .. }) => *size <= self.space,
                        // All items together are a group that is broken.
                        Some(Frame { group: Group::All, .. }) | None => false,
                    };
                    if fits || one.never {
                        self.stay(one)
                    } else {
                        self.end_line(one, indent + isize::from(one.offset))
                    }
                }
                Part::Open => {}
            }
        }
        // Their room is for the next item.
        (self.parts, self.sizes) = (parts, sizes);
        self.parts.clear();
    }

    fn stay(&mut self, one: Break) {
        let blanks = isize::from(one.blanks);
        self.pending += blanks;
        self.out.push_str(one.unbroken.text());
        self.space -= blanks + width(one.unbroken.text());
    }

    fn end_line(&mut self, one: Break, indent: isize) {
        if !matches!(one.before, Sign::None) {
            self.push(one.before.text());
        }
        self.out.push('\n');
        self.pending = indent;
        self.space = SPACE_MIN.max(MARGIN - indent);
        if !matches!(one.behind, Sign::None) {
            self.push(one.behind.text());
            self.space -= width(one.behind.text());
        }
    }

    fn push(&mut self, text: &str) {
        const BLANKS: &str = "                                ";
        let mut left = usize::try_from(self.pending).unwrap_or(0);
        while left > 0 {
            let now = left.min(BLANKS.len());
            self.out.push_str(BLANKS.get(..now).unwrap_or_default());
            left -= now;
        }
        self.pending = 0;
        self.out.push_str(text);
    }
}

/// A group that is being written.
struct Frame {
    broken: bool,
    outer_indent: isize,
    group: Group,
}

fn width(text: &str) -> isize {
    isize::try_from(text.len()).unwrap_or(isize::MAX / 4)
}

/// How much room each part needs: a text its width; a group all of it, and what stands behind it until the next break; a break what stands
/// behind it until the next break of its group, or of one around it.
fn measure(parts: &[Part<'_>], sizes: &mut Vec<isize>) {
    sizes.clear();
    // The places whose size is not known yet: groups, each with its last break on top of it, and groups that have ended since.
    let mut open: Vec<usize> = Vec::new();
    let mut total = 0;
    for (index, part) in parts.iter().enumerate() {
        sizes.push(-total);
        match part {
            Part::Text(text) => total += width(text),
            Part::Begin(..) | Part::End => open.push(index),
            Part::EndWithin(limit) => {
                if width_of_group(parts, sizes, &open) + total > *limit {
                    total += isize::from(INFINITE);
                }
                open.push(index);
            }
            Part::Break(one) => {
                settle(parts, sizes, &mut open, total);
                open.push(index);
                total += isize::from(one.blanks);
            }
            Part::Open => {}
        }
    }
    settle(parts, sizes, &mut open, total);
}

/// A break is there, or the end: what is as wide as until here?
fn settle(parts: &[Part<'_>], sizes: &mut [isize], open: &mut Vec<usize>, total: isize) {
    let mut ended = 0;
    while let Some(&index) = open.last() {
        let is_break = match parts[index] {
            Part::Begin(..) if ended == 0 => return,
            Part::Begin(..) => {
                ended -= 1;
                sizes[index] += total;
                false
            }
            Part::Break(_) => {
                sizes[index] += total;
                true
            }
            _ => {
                ended += 1;
                false
            }
        };
        open.pop();
        if is_break && ended == 0 {
            return;
        }
    }
}

/// The size so far of the group that ends here, as `measure` keeps it: less the total.
fn width_of_group(parts: &[Part<'_>], sizes: &[isize], open: &[usize]) -> isize {
    let mut ended = 0;
    for &index in open.iter().rev() {
        match parts[index] {
            Part::Begin(..) if ended == 0 => return sizes[index],
            Part::Begin(..) => ended -= 1,
            Part::Break(_) => {}
            _ => ended += 1,
        }
    }
    0
}
