import Foundation

/// What the kernel says of a running process. Linux only: elsewhere there is no `/proc` and the readings throw.
struct ProcessReadings {
    let processID: pid_t

    /// The most memory that was ever resident at once (`VmHWM`), or `nil` for a process that has ended.
    func peakMemoryBytes() -> Int? {
        guard let status = text(of: "status") else { return nil }
        for line in status.split(separator: "\n") where line.hasPrefix("VmHWM:") {
            // The form is "VmHWM:     1234 kB".
            let kibibytes = line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }
            return kibibytes.map { $0 * 1024 }
        }
        return nil
    }

    /// Time spent on processors in user and kernel mode, to a hundredth of a second.
    func processorSeconds() -> Double? {
        // The second field is the program's name and may hold anything, so fields are counted from where it closes.
        guard let stat = text(of: "stat"), let name = stat.lastIndex(of: ")") else { return nil }
        let fields = stat[stat.index(after: name)...].split(separator: " ")
        // utime and stime are the fields 14 and 15 of proc(5); the state, field 3, is the first one here.
        guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else { return nil }
        return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    /// Open descriptors, or `nil` for a process that has ended.
    func openDescriptorCount() -> Int? {
        // Reading fails only where the process is gone.
        try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(processID)/fd").count
    }

    private func text(of file: String) -> String? {
        // Reading fails only where the process is gone.
        try? String(contentsOfFile: "/proc/\(processID)/\(file)", encoding: .utf8)
    }
}
