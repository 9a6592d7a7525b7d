extension StringProtocol {
    /// The text with control, format, private-use and unassigned characters and line separators written as `\u{…}`,
    /// because they could move the cursor, change colours or hide text. Use it for texts from outside (keys, names,
    /// messages) that are printed on a terminal.
    package var withVisibleControls: String {
        var visible = String.UnicodeScalarView()
        for scalar in unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .unassigned, .privateUse:
                visible.append(contentsOf: "\\u{\(String(scalar.value, radix: 16))}".unicodeScalars)
            default:
                visible.append(scalar)
            }
        }
        return String(visible)
    }
}
