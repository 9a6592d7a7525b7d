import Foundation

/// The figures of a site as lines of a table.
struct Report {
    let tally: Tally.Counts
    let name: String
    let seconds: Double

    var lines: [String] {
        var lines = ["", "\(name): \(tally.killCount) kills in \(Int(seconds)) s", ""]
        let phases = Tally.Phase.allCases
        lines.append("| killed | " + phases.map(\.rawValue).joined(separator: " | ") + " | in all | starts |")
        lines.append("|---|" + String(repeating: "---:|", count: phases.count + 2))
        for role in Tally.Role.allCases {
            let counts = phases.map { tally.kills[.init(role: role, phase: $0)] ?? 0 }
            let sums = [counts.reduce(0, +), tally.starts[role] ?? 0]
            lines.append("| \(role.rawValue) | " + (counts + sums).map(String.init).joined(separator: " | ") + " |")
        }
        let twice = tally.linkBytes - tally.fileBytes
        lines += [
            "",
            "files: \(tally.files) in \(tally.batches) batches, \(tally.fileBytes) bytes; "
                + "changed while they were sent: \(tally.changes)",
            "over the link: \(tally.linkBytes) bytes towards the gateways, framing and compression included; "
                + "more than the files: \(twice)",
            "connections cut: \(tally.cuts), processes stopped for a while: \(tally.pauses), "
                + "agents let through: \(tally.mercies)",
            "objects looked at while others were being sent: \(tally.looks)",
            "unfinished uploads that cleaning removed at the end: \(tally.cleaned)",
        ]
        for (ending, count) in tally.endings.sorted(by: { $0.key < $1.key }) {
            lines.append("\(ending): \(count) times")
        }
        lines.append("violations: \(tally.violations.count)")
        return lines
    }
}
