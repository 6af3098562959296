export const sealed = <A>(_scope: string, run: () => A): A => run()
