import FoundationEssentials
import SystemSupport
package import TransferCommon

/// One profile from the two files that all of AWS's tools read: `~/.aws/credentials` and `~/.aws/config`.
///
/// `AWS_SHARED_CREDENTIALS_FILE` and `AWS_CONFIG_FILE` name other files, `AWS_PROFILE` names another profile than
/// `default`. Each call reads the files again, so that it returns renewed credentials.
package struct SharedProfile: Sendable {
    private static let bytesMax = 1 << 20

    private let credentialsPath: String?
    private let configurationPath: String?
    private let name: String
    /// Whether the operator named the profile. A named profile that does not exist is an error.
    private let isChosen: Bool

    package init(environment: AWSEnvironment) {
        let folder = environment["HOME"].map { "\($0)/.aws" }
        self.credentialsPath = environment["AWS_SHARED_CREDENTIALS_FILE"] ?? folder.map { "\($0)/credentials" }
        self.configurationPath = environment["AWS_CONFIG_FILE"] ?? folder.map { "\($0)/config" }
        self.name = environment["AWS_PROFILE"] ?? "default"
        self.isChosen = environment["AWS_PROFILE"] != nil
    }

    /// The profile's settings from both files; if both files have a setting, the credentials file wins, as in AWS's
    /// tools.
    ///
    /// - Returns: `nil` if neither file has the profile and the operator did not name it.
    /// - Throws: `.denied` if a file cannot be read, or if the named profile is missing.
    package func settings() throws(StoreError) -> [String: String]? {
        let configuration = try configurationPath.flatMap { path throws(StoreError) in try text(of: path) }
        let credentials = try credentialsPath.flatMap { path throws(StoreError) in try text(of: path) }
        var found = configuration.flatMap { text in
            Self.settings(of: "profile \(name)", in: text)
                ?? (name == "default" ? Self.settings(of: name, in: text) : nil)
        }
        if let credentials = credentials.flatMap({ Self.settings(of: name, in: $0) }) {
            found = (found ?? [:]).merging(credentials) { _, winner in winner }
        }
        guard found != nil || !isChosen else {
            throw StoreError(
                .denied, "The shared credentials and config files lack the profile that AWS_PROFILE names.")
        }
        return found
    }

    /// The region that AWS's tools would use: the one in the environment, otherwise the one in the profile.
    package static func region(_ variables: [String: String]) -> String? {
        let environment = AWSEnvironment(variables)
        // try?: the look-up of credentials reads the same files and reports their errors.
        return environment.region ?? (try? SharedProfile(environment: environment).settings())?["region"]
    }

    private func text(of path: String) throws(StoreError) -> String? {
        do {
            let bytes = try BoundedFile.read(path, bytesMax: Self.bytesMax, access: .anyone)
            return String(decoding: bytes, as: UTF8.self)
        } catch {
            if error.isMissing { return nil }
            throw StoreError(.denied, "The shared credentials or config file cannot be read.", cause: error)
        }
    }

    /// Returns the settings of one `[section]`, with lower-case names. If a setting appears twice, the later line wins,
    /// as in AWS's tools. Indented lines below a name without a value are nested settings and are skipped.
    ///
    /// - Returns: `nil` if there is no such section.
    package static func settings(of section: String, in text: String) -> [String: String]? {
        var settings: [String: String]?
        var isWithin = false
        var hasNested = false
        for rawLine in text.split(whereSeparator: \.isNewline) {
            let line = rawLine.trimmed
            if line.isEmpty || line.hasPrefix("#") || line.hasPrefix(";") { continue }
            if line.hasPrefix("["), let end = line.firstIndex(of: "]") {
                isWithin = isHeader(line[line.index(after: line.startIndex)..<end], of: section)
                hasNested = false
                if isWithin && settings == nil { settings = [:] }
            } else if isWithin, let equals = line.firstIndex(of: "=") {
                if hasNested && rawLine.first != line.first { continue }
                let value = withoutComment(line[line.index(after: equals)...].trimmed)
                hasNested = value.isEmpty
                settings?[line[..<equals].trimmed.lowercased()] = value
            }
        }
        return settings
    }

    /// Compares section headers. A name may be quoted, and any number of blanks may follow the word `profile`.
    private static func isHeader(_ header: Substring, of section: String) -> Bool {
        let words = { (text: Substring) in text.split(whereSeparator: { $0 == " " || $0 == "\t" }) }
        return words(header).joined(separator: " ").filter { $0 != "\"" } == words(section[...]).joined(separator: " ")
    }

    private static func withoutComment(_ value: Substring) -> String {
        var isBlank = true
        let end = value.indices.first { index in
            defer { isBlank = value[index] == " " || value[index] == "\t" }
            return isBlank && (value[index] == "#" || value[index] == ";")
        }
        return String(value[..<(end ?? value.endIndex)].trimmed)
    }
}

extension Substring {
    fileprivate var trimmed: Substring {
        let isBlank = { (character: Character) in character == " " || character == "\t" }
        let start = drop(while: isBlank)
        guard let last = start.lastIndex(where: { !isBlank($0) }) else { return "" }
        return start[...last]
    }
}
