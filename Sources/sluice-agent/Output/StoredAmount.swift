import AgentKit
import CommandSupport

/// How much of a file is stored, in shorter and shorter words for narrower and narrower terminals.
struct StoredAmount {
    let stored: UInt64
    /// Size of the file; `nil` if it is not known yet.
    let size: UInt64?

    private static let units: [(name: String, scale: UInt64)] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]

    /// Without words: `48.0/96.0 MiB`.
    var short: String {
        let storedText = ReadableQuantity.size(stored)
        guard let size else { return storedText }
        let sizeText = ReadableQuantity.size(size)
        // Name the unit once if both have the same.
        let unit = Self.unit(of: size).name
        let isSame = unit == Self.unit(of: stored).name
        return (isSame ? String(storedText.dropLast(unit.count + 1)) : storedText) + "/" + sizeText
    }

    /// Without words, spaces and most decimals: `48/96MiB`, `0.5/96MiB`. Both numbers have the unit of the size.
    var shortest: String {
        let unit = Self.unit(of: size ?? stored)
        let text = Self.number(stored, unit.scale)
        return (size.map { "\(text)/\(Self.number($0, unit.scale))" } ?? text) + unit.name
    }

    private static func unit(of bytes: UInt64) -> (name: String, scale: UInt64) {
        units.first { bytes >= $0.scale } ?? ("B", 1)
    }

    /// The number of units, with one decimal below 10. Rounds down, so that no part counts as the whole.
    private static func number(_ bytes: UInt64, _ scale: UInt64) -> String {
        let whole = bytes / scale
        guard scale > 1, whole < 10 else { return "\(whole)" }
        return "\(whole).\(bytes % scale * 10 / scale)"
    }
}
