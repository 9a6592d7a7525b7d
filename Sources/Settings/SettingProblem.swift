import TransferCommon

/// Where the value of a setting comes from.
package enum SettingSource: Equatable, Sendable, CustomStringConvertible {
    /// A flag, with its name without dashes.
    case flag(String)
    /// An environment variable.
    case variable(String)
    /// A file; without a line if the file as a whole is meant.
    case file(path: String, line: Int?)
    case usual

    package var description: String {
        switch self {
        case .flag(let name): "--\(name)"
        case .variable(let name): name
        case .file(let path, let line): path.withVisibleControls + (line.map { ":\($0)" } ?? "")
        case .usual: "default"
        }
    }
}

/// A value that cannot be used: where it stands, which setting it is for, and why it is refused.
package struct SettingProblem: Error, Equatable, Sendable, CustomStringConvertible {
    package let source: SettingSource
    /// The setting, such as `limit-rate` or `folders[2].ready.for`. Empty if the whole file is the problem.
    package let setting: String
    package let reason: String

    package init(source: SettingSource, setting: String = "", reason: String) {
        self.source = source
        self.setting = setting
        self.reason = reason
    }

    /// The line in its file; beyond all lines if the problem is in no file.
    fileprivate var line: Int {
        guard case .file(_, let line) = source else { return .max }
        return line ?? 0
    }

    package var description: String {
        switch source {
        case .file where !setting.isEmpty: "\(source): \(setting): \(reason)"
        case .usual: "\(setting): \(reason)"
        case .file, .flag, .variable: "\(source): \(reason)"
        }
    }
}

/// Collects the problems of all settings, so that a person can correct all of them at once.
package final class SettingProblems {
    /// How many problems are reported. One slip may cause many.
    package static let reportedMax = 20

    private var first: [SettingProblem] = []
    private var count = 0

    package init() {}

    /// Keeps a problem, or only counts it if there are too many.
    ///
    /// - Parameter problem: made only if it is kept, because a suggestion takes time.
    package func add(_ problem: @autoclosure () -> SettingProblem) {
        count += 1
        if first.count < Self.reportedMax { first.append(problem()) }
    }

    /// Throws if there is a problem. The problems of a file are in the order of its lines, before all others.
    package func check() throws(SettingsError) {
        guard count > 0 else { return }
        let ordered = first.enumerated().sorted { left, right in
            (left.element.line, left.offset) < (right.element.line, right.offset)
        }
        throw SettingsError(ordered.map(\.element), count: count)
    }
}

/// The error of settings that cannot be used.
package struct SettingsError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The exit code of a program that ends with this error: `EX_USAGE` of `sysexits.h`.
    package static let exitCode: Int32 = 64

    /// The first problems, at most `SettingProblems.reportedMax`.
    package let problems: [SettingProblem]
    /// The number of all problems.
    package let count: Int

    package init(_ problems: [SettingProblem], count: Int? = nil) {
        self.problems = problems
        self.count = count ?? problems.count
    }

    /// One line for each problem.
    package var lines: [String] {
        let more = count - problems.count
        return problems.map(\.description) + (more > 0 ? ["\(more) more problems are not shown"] : [])
    }

    /// The first problem, and how many others there are.
    package var description: String {
        guard let first = problems.first else { return "the settings cannot be used" }
        return count > 1 ? "\(first) (and \(count - 1) more)" : first.description
    }
}

/// Why a value is refused.
package struct SettingRefusal: Error, Equatable, Sendable {
    package let reason: String

    package init(_ reason: String) {
        self.reason = reason
    }
}

extension String {
    /// The text as messages quote it: controls are visible, and what is long is cut.
    package var shown: String {
        // Count scalars: one character may consist of any number of them.
        let scalarsMax = 60
        let start = String(String.UnicodeScalarView(unicodeScalars.prefix(scalarsMax)))
        let isCut = unicodeScalars.dropFirst(scalarsMax).first != nil
        return "\"\(start.withVisibleControls)\(isCut ? "…" : "")\""
    }
}
