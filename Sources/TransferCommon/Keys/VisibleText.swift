extension StringProtocol {
    /// The text with control, format, private-use and unassigned characters and line separators written as `\u{…}`,
    /// because they could move the cursor, change colours or hide text. Use it for texts from outside (keys, names,
    /// messages) that are printed on a terminal.
    package var withVisibleControls: String {
        var visible = String.UnicodeScalarView()
        for scalar in unicodeScalars {
            if scalar.isControl {
                visible.append(contentsOf: "\\u{\(String(scalar.value, radix: 16))}".unicodeScalars)
            } else {
                visible.append(scalar)
            }
        }
        return String(visible)
    }

    /// The JSON text with control characters, and all others that `withVisibleControls` replaces, written as `\uXXXX`.
    /// In a JSON document such characters stand only in strings, where this escape means the same character. So a
    /// program reads the same values, and a terminal shows no control character.
    package var withEscapedControls: String {
        var escaped = String.UnicodeScalarView()
        for scalar in unicodeScalars {
            guard scalar.isControl else {
                escaped.append(scalar)
                continue
            }
            for unit in String(scalar).utf16 {
                let digits = String(unit, radix: 16)
                let zeros = String(repeating: "0", count: 4 - digits.utf8.count)
                escaped.append(contentsOf: "\\u\(zeros)\(digits)".unicodeScalars)
            }
        }
        return String(escaped)
    }
}

extension Unicode.Scalar {
    /// Whether a terminal could obey the character or show nothing for it.
    fileprivate var isControl: Bool {
        switch properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .unassigned, .privateUse: true
        default: false
        }
    }
}
