import Foundation

/// Reads a running process's figures from `/proc`. Linux only; elsewhere the results are `nil`.
struct ProcessReadings {
    let processID: pid_t

    /// Peak resident memory in bytes (`VmHWM`); `nil` if the process has exited.
    func peakMemoryBytes() -> Int? {
        guard let status = text(of: "status") else { return nil }
        for line in status.split(separator: "\n") where line.hasPrefix("VmHWM:") {
            // The line has the form "VmHWM:     1234 kB".
            let kibibytes = line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }
            return kibibytes.map { $0 * 1024 }
        }
        return nil
    }

    /// CPU time in user and kernel mode in seconds, with a resolution of 10 ms.
    func processorSeconds() -> Double? {
        // The second field is the program's name and may contain spaces and parentheses, so count fields from its end.
        guard let stat = text(of: "stat"), let name = stat.lastIndex(of: ")") else { return nil }
        let fields = stat[stat.index(after: name)...].split(separator: " ")
        // utime and stime are fields 14 and 15 of proc(5); field 3, the state, is the first one here.
        guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else { return nil }
        return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    /// Number of open descriptors; `nil` if the process has exited.
    func openDescriptorCount() -> Int? {
        // Reading fails only if the process has exited.
        try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(processID)/fd").count
    }

    private func text(of file: String) -> String? {
        // Reading fails only if the process has exited.
        try? String(contentsOfFile: "/proc/\(processID)/\(file)", encoding: .utf8)
    }
}
