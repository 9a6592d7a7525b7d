package import SystemSupport
import TransferCommon

#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Finds the home directory of a program: the flag `--home`, the variable `SLUICE_HOME`, or a folder in the home
/// directory of the user.
package struct ProgramHome: Equatable, Sendable {
    package let path: String
    package let source: SettingSource

    /// - Parameters:
    ///   - flag: the value of `--home`.
    ///   - folder: the name of the program's folder in the user's home directory, such as `.sluice`.
    ///   - userHome: finds the home directory in the system's list of users.
    package init(
        flag: String?, environment: [String: String], folder: String,
        userHome: () -> String? = { ProgramHome.directoryInUserList() }
    ) throws(SettingsError) {
        if let flag {
            guard !flag.isEmpty else {
                throw SettingsError([
                    SettingProblem(source: .flag("home"), setting: "home", reason: "must be the path of a directory")
                ])
            }
            (path, source) = (flag, .flag("home"))
        } else if let home = environment[SettingVariables.home], !home.isEmpty {
            (path, source) = (home, .variable(SettingVariables.home))
        } else {
            let user = environment["HOME"].flatMap { $0.isEmpty ? nil : $0 } ?? userHome()
            guard let user else {
                // The current directory is no substitute: its files may belong to anyone.
                throw SettingsError([
                    SettingProblem(
                        source: .usual, setting: "home",
                        reason: "HOME is not set and the system's list of users has no directory for this user; name "
                            + "the home with --home or \(SettingVariables.home)")
                ])
            }
            (path, source) = (user + "/" + folder, .usual)
        }
    }

    /// Throws if a flag or variable names a home that does not exist. A default home may be missing: nothing was
    /// mistyped.
    package func checkNamed() throws(MissingHome) {
        guard source != .usual else { return }
        var status = stat()
        guard stat(path, &status) != 0, errno == ENOENT || errno == ENOTDIR else { return }
        throw MissingHome(path: path, source: source)
    }

    /// The line of `config show` about the home.
    package var row: SettingRow { SettingRow(name: "home", value: path, source: source) }

    /// The directory of this process's user in the system's list of users, if it is an absolute path.
    package static func directoryInUserList() -> String? {
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        var size = 4_096
        let sizeMax = 1 << 20
        while size <= sizeMax {
            var buffer = [CChar](repeating: 0, count: size)
            let (code, path) = buffer.withUnsafeMutableBufferPointer { buffer in
                guard let start = buffer.baseAddress else { return (EINVAL, String?.none) }
                let code = getpwuid_r(geteuid(), &entry, start, buffer.count, &found)
                // Copy the path here: it points into the buffer.
                return (code, found == nil ? nil : entry.pw_dir.map { String(cString: $0) })
            }
            if code == ERANGE {
                size *= 2
            } else {
                return code == 0 ? path.flatMap { $0.utf8.first == UInt8(ascii: "/") ? $0 : nil } : nil
            }
        }
        return nil
    }
}

/// The error of a home that a flag or variable names and that does not exist.
package struct MissingHome: Error, Equatable, CustomStringConvertible {
    package let path: String
    package let source: SettingSource

    /// Exit status of a program that ends with this error.
    package var exitStatus: ProgramExit { .missingInput }

    package var description: String {
        "there is no \(path.withVisibleControls), which \(source) names; correct the name, or make a home there "
            + "with init"
    }
}
