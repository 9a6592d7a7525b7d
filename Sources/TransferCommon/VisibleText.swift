extension StringProtocol {
    /// The text with every character that moves a cursor, changes colours or is not seen written as `\u{…}`. For texts
    /// that came from elsewhere and go to a terminal: keys, names, messages.
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
