"""Makes a running process ask the kernel for something, as code that an intruder brought would: ptrace, x86-64, root."""
import ctypes
import os
import signal

ATTACH, DETACH, SYSCALL, GETREGS, SETREGS = 16, 17, 24, 12, 13
EPOLL_WAIT, EPOLL_PWAIT = 232, 281
ENTERED = -38  # what rax holds on the way in
RAX, RDI, RSI, RDX, ORIG_RAX = 10, 14, 13, 12, 15

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


class Registers(ctypes.Structure):
    _fields_ = [("at", ctypes.c_longlong * 27)]


def _ptrace(request, pid, data=None):
    if libc.ptrace(request, pid, None, data) < 0:
        raise OSError(ctypes.get_errno(), f"ptrace {request}")


def _stopped(pid):
    _, status = os.waitpid(pid, 0x40000000)  # __WALL
    assert os.WIFSTOPPED(status), status


def _registers(pid):
    registers = Registers()
    _ptrace(GETREGS, pid, ctypes.byref(registers))
    return registers


def _step(pid):
    _ptrace(SYSCALL, pid)
    _stopped(pid)
    return _registers(pid)


def ask(pid, call, *arguments):
    """What the kernel answers the first thread of the process when it makes that call in place of a wait for events, which
    then seems to have been for nothing. Negative: errno."""
    _ptrace(ATTACH, pid)
    _stopped(pid)
    try:
        registers = _step(pid)
        while registers.at[RAX] != ENTERED or registers.at[ORIG_RAX] not in (EPOLL_WAIT, EPOLL_PWAIT):
            registers = _step(pid)
        kept = Registers.from_buffer_copy(registers)
        registers.at[ORIG_RAX] = call
        for place, value in zip((RDI, RSI, RDX), arguments):
            registers.at[place] = value
        _ptrace(SETREGS, pid, ctypes.byref(registers))
        answer = _step(pid).at[RAX]
        kept.at[RAX] = 0
        _ptrace(SETREGS, pid, ctypes.byref(kept))
        return answer
    finally:
        _ptrace(DETACH, pid)
        os.kill(pid, signal.SIGCONT)
